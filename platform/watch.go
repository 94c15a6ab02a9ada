package platform

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/linkspan/linkspan/platform/api"
)

const (
	watchBeat  = 15 * time.Second // between signs of life on a quiet watch
	watchWrite = 10 * time.Second // for one write: who does not read that long is dropped
)

// watch streams messages as they happen: as server-sent events when the caller
// accepts text/event-stream, otherwise one JSON document per line.
func (p *Platform) watch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	filter := Filter{ProductKey: q.Get("productKey"), DeviceName: q.Get("deviceName")}
	for _, k := range q["kind"] {
		for name := range strings.SplitSeq(k, ",") {
			if !slices.Contains(watchKinds, name) {
				writeError(w, badRequest("kind %q is none of %s", name, strings.Join(watchKinds, ", ")))
				return
			}
			filter.Kinds = append(filter.Kinds, name)
		}
	}
	sub, err := p.Subscribe(filter)
	if err != nil {
		writeError(w, err)
		return
	}
	defer sub.Close()
	s := stream{w: w, ctl: http.NewResponseController(w), sse: strings.Contains(r.Header.Get("Accept"), "text/event-stream")}
	s.begin()
	for s.err == nil {
		s.step(r.Context(), sub)
	}
}

var watchKinds = []string{
	api.KindProperty, api.KindEvent, api.KindRaw, api.KindReply, api.KindCommand,
	api.KindCustom, api.KindOnline, api.KindOffline, api.KindRefused, api.KindControl,
}

// stream is the answer to one watcher, used by one goroutine.
type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	sse bool
	err error
}

func (s *stream) begin() {
	kind := "application/x-ndjson"
	if s.sse {
		kind = "text/event-stream"
	}
	s.w.Header().Set("Content-Type", kind)
	s.w.Header().Set("Cache-Control", "no-store")
	s.w.WriteHeader(http.StatusOK)
	s.flush()
}

func (s *stream) flush() {
	if s.err == nil {
		s.err = s.ctl.Flush()
	}
}

func (s *stream) write(b []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
}

// step writes what there is, or a sign of life when there is nothing for long.
func (s *stream) step(ctx context.Context, sub *Watch) {
	wait, cancel := context.WithTimeout(ctx, watchBeat)
	defer cancel()
	m, err := sub.Next(wait)
	if s.err = s.ctl.SetWriteDeadline(time.Now().Add(watchWrite)); s.err != nil {
		return
	}
	switch {
	case err == nil:
		s.message(&m)
		for range len(sub.queue) { // what is there already goes with the same flush
			if m, err = sub.Next(wait); err != nil {
				break
			}
			s.message(&m)
		}
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		s.err = err
		return
	case s.sse:
		s.write([]byte(": still here\n\n"))
	default:
		s.write([]byte("\n"))
	}
	s.flush()
}

func (s *stream) message(m *api.Message) {
	text, err := json.Marshal(m)
	if err != nil {
		return // data that is no JSON cannot get here: it was scanned
	}
	if s.sse {
		s.write([]byte("event: " + m.Kind + "\ndata: "))
		text = append(text, '\n')
	}
	s.write(append(text, '\n'))
}
