package bridge

import (
	"math/bits"
	"testing"
	"unsafe"
)

// TestLayout wants what each message looks at to begin at a line of the processor's
// cache, which Go sees to for these sizes: see there.
func TestLayout(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(link{}); bits.UintSize == 64 && size != 128 {
		t.Errorf("it takes %d bytes, want 128: mend its padding, or say why not", size)
	}
}
