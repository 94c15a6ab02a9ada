package codec_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/linkspan/linkspan/codec"
)

func TestRaw(t *testing.T) {
	t.Parallel()
	d := codec.Raw()
	if _, n, err := d.Decode(nil); n != 0 || !errors.Is(err, codec.ErrIncomplete) {
		t.Errorf("of nothing: %d, %v", n, err)
	}
	in := []byte("one two")
	frame, n, err := d.Decode(in[:3])
	if string(frame) != "one" || n != 3 || err != nil {
		t.Errorf("got %q, %d, %v", frame, n, err)
	}
	_ = append(frame, '!')
	if string(in) != "one two" {
		t.Errorf("appending to a frame changed what is behind it: %q", in)
	}
	if out, err := codec.AppendRaw([]byte("a"), []byte("b")); string(out) != "ab" || err != nil {
		t.Errorf("AppendRaw: %q, %v", out, err)
	}
}

// Over datagrams, where each holds one message, there is nothing to frame.
func ExampleRaw() {
	d := codec.Map(codec.Raw(), func(datagram []byte) (string, error) { return string(datagram), nil })
	for _, datagram := range []string{"HELLO m1", "TEMP 21.5"} {
		msg, _, err := d.Decode([]byte(datagram))
		fmt.Println(msg, err)
	}
	// Output:
	// HELLO m1 <nil>
	// TEMP 21.5 <nil>
}
