package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// Ctrl-C ends the demonstration in order whenever it comes, during the start too.
func TestDemoEndsWhileItStarts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(strings.Fields("demo --plain --listen 127.0.0.1:0 --mqtt 127.0.0.1:0 --api 127.0.0.1:0 --admin 127.0.0.1:0"))
	if err := root.ExecuteContext(ctx); err != nil {
		t.Errorf("error %v", err)
	}
}
