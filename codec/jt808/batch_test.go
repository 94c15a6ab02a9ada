package jt808

import (
	"testing"
)

func TestLocationResponseVectors(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, v := range vectors(t, "jt808") {
		f := decodeOneOrNil(unhex(t, v.Hex))
		if f == nil || f.IsPackage() || f.ID != IDLocationResponse {
			continue
		}
		seen++
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			var want struct {
				Serial   uint16 `json:"ack_serial"`
				Location wantLocation
			}
			v.get(t, "body", &want)
			var r LocationResponse
			if err := r.ParseBody(f.Body, f.Version); err != nil {
				t.Fatal(err)
			}
			if r.Serial != want.Serial {
				t.Errorf("serial %d, want %d", r.Serial, want.Serial)
			}
			checkLocation(t, &r.Location, &want.Location)
			checkRoundTrip(t, &r, f, new(LocationResponse))
		})
	}
	if seen == 0 {
		t.Error("no vectors")
	}
}

func TestBatchVectors(t *testing.T) {
	t.Parallel()
	b, seen := new(Batch), 0
	for _, v := range vectors(t, "jt808") {
		f := decodeOneOrNil(unhex(t, v.Hex))
		if f == nil || f.IsPackage() || f.ID != IDBatch {
			continue
		}
		seen++
		t.Run(v.Name, func(t *testing.T) {
			var want struct {
				Count, Type uint16
				Items       []wantLocation
				Found       int `json:"items_found"`
			}
			v.get(t, "body", &want)
			if err := b.ParseBody(f.Body, f.Version); err != nil {
				t.Fatal(err)
			}
			if len(b.Locations) != want.Found || len(want.Items) != want.Found || uint16(b.Kind) != want.Type {
				t.Fatalf("%d locations of kind %v, want %d, %d", len(b.Locations), b.Kind, want.Found, want.Type)
			}
			for i := range b.Locations {
				checkLocation(t, &b.Locations[i], &want.Items[i])
			}
			if int(want.Count) == want.Found {
				checkRoundTrip(t, b, f, new(Batch))
			}
		})
	}
	if seen == 0 {
		t.Error("no vectors")
	}
}

func TestBodyVectorsOfLocations(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, v := range vectors(t, "jt808_bodies") {
		id := parseID(t, v.MsgID)
		if id != IDLocation && id != IDBatch && id != IDLocationResponse {
			continue
		}
		seen++
		b, err := ParseBody(id, parseVersion(v.Version), unhex(t, v.Hex))
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		switch b := b.(type) {
		case *Location:
			var want wantLocation
			v.get(t, "body", &want)
			checkLocation(t, b, &want)
		case *Batch:
			var want struct{ Items []wantLocation }
			v.get(t, "body", &want)
			if len(b.Locations) != len(want.Items) {
				t.Errorf("%s: %d locations, want %d", v.Name, len(b.Locations), len(want.Items))
				continue
			}
			for i := range b.Locations {
				checkLocation(t, &b.Locations[i], &want.Items[i])
			}
		case *LocationResponse:
			var want struct{ Location wantLocation }
			v.get(t, "body", &want)
			checkLocation(t, &b.Location, &want.Location)
		}
	}
	if seen == 0 {
		t.Error("no vectors")
	}
}
