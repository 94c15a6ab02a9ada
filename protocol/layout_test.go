package protocol

import (
	"math/bits"
	"testing"
	"unsafe"
)

// TestLayout wants what each message looks at to begin at a line of the processor's
// cache, which Go sees to for these sizes: see there.
func TestLayout(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Conn[int]{}); bits.UintSize == 64 && size != 120 {
		t.Errorf("it takes %d bytes, want 120: mend its padding, or say why not", size)
	}
}
