package session

import (
	"math/bits"
	"testing"
	"unsafe"
)

// TestLayout wants what each message looks at to begin at a line of the processor's
// cache, which Go sees to for these sizes: see there.
func TestLayout(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Session{}); bits.UintSize == 64 && size != 192 {
		t.Errorf("it takes %d bytes, want 192: mend its padding, or say why not", size)
	}
}
