package platform

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/platform/api"
)

// received is the file that Config.Received names: what devices said, as the watch
// has it, a line each. A line is in the file before its message is acknowledged, so
// that it is there whatever happens to this process. Its methods may be called from
// any goroutine.
type received struct {
	log *zap.Logger

	path string

	mu      sync.Mutex
	file    io.WriteCloser // guarded by mu, as is what follows
	lines   []byte         // of note, used again
	torn    bool           // the last line has no end
	failing bool           // the last message is not in the file
}

// openReceived opens the file to append to it. A line that is not whole, as a
// sudden end may leave one, is ended.
func openReceived(path string, log *zap.Logger) (*received, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("platform: received: %w", err)
	}
	r := &received{log: log, path: path, file: f}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		var last [1]byte
		if _, err = f.ReadAt(last[:], info.Size()-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'})
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("platform: received: %s: %w", path, err)
	}
	return r, nil
}

// note writes a message if a device said it.
func (r *received) note(m *api.Message) {
	switch m.Kind {
	case api.KindProperty, api.KindEvent, api.KindRaw, api.KindReply, api.KindCustom:
	default:
		return
	}
	text, err := json.Marshal(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.lines = r.lines[:0]
		if r.torn {
			r.lines = append(r.lines, '\n')
		}
		r.lines = append(append(r.lines, text...), '\n')
		var n int
		n, err = r.file.Write(r.lines) // at once: a sudden end leaves all of it or nothing
		r.torn = n > 0 && r.lines[n-1] != '\n' || n == 0 && r.torn
	}
	switch {
	case err == nil && r.failing:
		r.log.Info("messages are in the file of received messages again", zap.String("path", r.path))
	case err != nil && !r.failing:
		r.log.Error("messages are not in the file of received messages", zap.String("path", r.path), zap.NamedError("err", err))
	}
	r.failing = err != nil
}

func (r *received) close() error { return r.file.Close() }
