package jt808

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// What can be read of a batch is there, even if something behind it is damaged.
func TestBatchWithDamage(t *testing.T) {
	t.Parallel()
	item := append([]byte{0, basicLen}, (&Location{Altitude: 5}).AppendBasic(nil)...)
	for name, test := range map[string]struct {
		items []byte
		want  int
		good  bool
	}{
		"an item that is cut off":   {slices.Concat(item, item, item[:20]), 2, false},
		"an item that is too short": {slices.Concat(item, []byte{0, 3, 1, 2, 3}, item), 1, false},
		"half a length":             {slices.Concat(item, []byte{0}), 1, false},
		"empty items":               {slices.Concat(item, []byte{0, 0}, item, []byte{0, 0, 0, 0}), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := new(Batch)
			err := b.ParseBody(append([]byte{0, 3, 1}, test.items...), V2013)
			if (err == nil) != test.good || len(b.Locations) != test.want || b.Kind != BatchBacklog {
				t.Errorf("%d locations of kind %v, error %v", len(b.Locations), b.Kind, err)
			}
			if !test.good && (!errors.Is(err, ErrShortBody) || !strings.HasPrefix(err.Error(), fmt.Sprintf("behind %d whole locations: ", test.want))) {
				t.Errorf("error %v does not tell of %d locations", err, test.want)
			}
		})
	}
}

// The names in JSON are those of other messages with items.
func TestBatchJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(&Batch{Kind: BatchBacklog, Locations: []Location{{}}})
	if err != nil || !strings.HasPrefix(string(text), `{"type":1,"items":[{"alarm":0,`) {
		t.Errorf("%s, error %v", text, err)
	}
}
