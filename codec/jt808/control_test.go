package jt808

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestTerminalControlParams(t *testing.T) {
	t.Parallel()
	b := &TerminalControl{Command: ControlConnect, Param: "0;code;;;;example.com;7611;;30"}
	if got := b.Params(); !slices.Equal(got, []string{"0", "code", "", "", "", "example.com", "7611", "", "30"}) {
		t.Errorf("%q", got)
	}
	if got := (&TerminalControl{Command: ControlReset}).Params(); got != nil {
		t.Errorf("%q, want none", got)
	}
}

func TestTrackStop(t *testing.T) {
	t.Parallel()
	if out, err := (&Track{Validity: 600}).AppendBody(nil, V2013); err != nil || len(out) != 2 {
		t.Errorf("%x, %v, want two bytes", out, err)
	}
	var b Track
	if err := b.ParseBody([]byte{0, 5}, V2013); !errors.Is(err, ErrShortBody) {
		t.Errorf("interval without validity: %v, want ErrShortBody", err)
	}
	if err := b.ParseBody([]byte{0, 0, 0, 0, 0, 0}, V2013); err != nil || b.Validity != 0 || len(b.Tail) != 4 {
		t.Errorf("%+v, %v, want a tail", b, err)
	}
}

// The time of 0x8004 is UTC, in Go and in JSON.
func TestTimeResponseIsUTC(t *testing.T) {
	t.Parallel()
	want := time.Date(2024, 2, 29, 15, 59, 59, 0, time.UTC)
	b := &TimeResponse{Time: NewBCDTimeIn(want, time.UTC)}
	if got, ok := b.At(); !ok || !got.Equal(want) {
		t.Errorf("%v, %v, want %v", got, ok, want)
	}
	if got := toString(t, b); got != `{"time_utc_bcd":"240229155959"}` {
		t.Error(got)
	}
}

func TestResendRequestCountWidths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		hex  string
		v    Version
		want []uint16
		tail string
	}{
		{"0009" + "02" + "00030005", V2013, []uint16{3, 5}, ""},
		{"0009" + "0002" + "00030005", V2019, []uint16{3, 5}, ""},
		{"0009" + "0002" + "00030005", V2013, []uint16{3, 5}, ""}, // WORD under a header of 2013
		{"0009" + "02" + "00030005", V2019, []uint16{3, 5}, ""},   // BYTE under a header of 2019
		{"0009" + "01" + "0003" + "ff", V2013, []uint16{3}, "ff"},
		{"0009" + "0001" + "0003" + "ff", V2019, []uint16{3}, "ff"},
	} {
		var b PlatformResendRequest
		err := b.ParseBody(unhex(t, tt.hex), tt.v)
		if err != nil || b.FirstSerial != 9 || !slices.Equal(b.Packets, tt.want) || b.Tail.String() != tt.tail {
			t.Errorf("%s in %v: %+v, %v", tt.hex, tt.v, b, err)
		}
	}
	var b ResendRequest // fewer than it says it has
	if err := b.ParseBody(unhex(t, "0009"+"03"+"00030005"), V2013); err != nil || len(b.Packets) != 2 {
		t.Errorf("%+v, %v, want two packets", b, err)
	}
	if err := b.ParseBody(unhex(t, "0009"+"03"+"000300"), V2013); !errors.Is(err, ErrShortBody) {
		t.Errorf("a cut number: %v, want ErrShortBody", err)
	}
}

func TestHeartbeatWithMakersBytes(t *testing.T) {
	t.Parallel()
	b, err := ParseBody(IDHeartbeat, V2013, []byte{0x64, 0x1F})
	if err != nil || toString(t, b) != `{"tail":"641f"}` {
		t.Errorf("%s, %v", toString(t, b), err)
	}
	if b, err = ParseBody(IDHeartbeat, V2013, nil); err != nil || toString(t, b) != `{}` {
		t.Errorf("%s, %v", toString(t, b), err)
	}
}

func TestHexText(t *testing.T) {
	t.Parallel()
	var h Hex
	if err := json.Unmarshal([]byte(`"0aFf"`), &h); err != nil || h.String() != "0aff" {
		t.Errorf("%v, %v", h, err)
	}
	if err := json.Unmarshal([]byte(`"0a0"`), &h); err == nil {
		t.Error("odd number of digits: no error")
	}
}

func TestResultsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for r := range ResultAlarmConfirmed + 2 {
		if s := r.String(); s == "" || seen[s] {
			t.Errorf("%d: %q", r, s)
		} else {
			seen[s] = true
		}
	}
}

func BenchmarkAppendPlatformResponse(b *testing.B) {
	response := &PlatformResponse{Serial: 7, Request: IDLocation}
	buf := make([]byte, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		out, err := response.AppendBody(buf, V2013)
		if err != nil || len(out) != 5 {
			b.Fatal(out, err)
		}
	}
}

func BenchmarkParseHeartbeat(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseBody(IDHeartbeat, V2013, nil); err != nil {
			b.Fatal(err)
		}
	}
}
