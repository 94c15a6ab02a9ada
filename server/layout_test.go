package server

import (
	"math/bits"
	"testing"
	"unsafe"
)

// TestLayout wants what each message looks at to begin at a line of the processor's
// cache, which Go sees to for these sizes: see there.
func TestLayout(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(conn{}); bits.UintSize == 64 && size != 256 {
		t.Errorf("it takes %d bytes, want 256: mend its padding, or say why not", size)
	}
}
