package segment

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Appenders, a reader, late finishes, rereads and compactions at the same time, in a log
// that is full now and then: each record is read once, in its appender's order.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	cfg := small()
	cfg.MaxBytes = 512 << 10
	notified := make(chan struct{}, 1)
	l := mustOpen(t, newSimDisk(), cfg, WithNotify(func() {
		select {
		case notified <- struct{}{}:
		default:
		}
	}))
	const appenders, records = 3, 1200
	freed := make(chan struct{}, 1)
	var wait sync.WaitGroup
	for a := range appenders {
		wait.Go(func() {
			for i := range records {
				payload := fmt.Sprintf("%d %d %s", a, i, strings.Repeat("x", i*31%900))
				for {
					err := l.Append([]byte(payload), Flags(i%2), nil)
					if err == nil {
						break
					}
					if !errors.Is(err, ErrFull) && !errors.Is(err, ErrOverloaded) {
						t.Error(err)
						return
					}
					<-freed
				}
			}
		})
	}
	stop := make(chan struct{})
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-notified:
				select {
				case freed <- struct{}{}: // whoever waits looks again
				default:
				}
			}
			l.house.Lock()
			for _, s := range l.snapshot() {
				if l.sparse(s) {
					l.compact(s, false)
				}
			}
			l.removeComplete()
			l.house.Unlock()
		}
	})
	var next [appenders]int
	var late []Record
	r := l.NewReader()
	for n := 0; n < appenders*records; {
		rec, ok := r.Next()
		if !ok {
			for _, old := range late { // room for those that wait
				if b, err := l.Read(old.Position, nil); err != nil || string(b) != string(old.Payload) {
					t.Fatalf("Read(%s) is %.20q, %v", old.Position, b, err)
				}
				l.Finish(old.Position)
			}
			late = late[:0]
			select {
			case notified <- struct{}{}:
			default:
			}
			continue
		}
		var a, i int
		if _, err := fmt.Sscanf(string(rec.Payload), "%d %d", &a, &i); err != nil || next[a] != i {
			t.Fatalf("read %.20q after %v", rec.Payload, next)
		}
		next[a]++
		n++
		if n%20 == 0 {
			rec.Payload = []byte(string(rec.Payload))
			late = append(late, rec)
			continue
		}
		l.Finish(rec.Position)
	}
	for _, old := range late {
		l.Finish(old.Position)
	}
	close(stop)
	wait.Wait()
	r.Close()
	wantRecords(t, l, nil)
	if st := l.Stats(); st.Records != 0 || st.Damaged != 0 || st.DamagedBytes != 0 || st.Finished != appenders*records || st.Failures != 0 {
		t.Errorf("stats are %+v", st)
	}
	mustClose(t, l)
}
