package aliyun

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/internal/quiet"
	"github.com/linkspan/linkspan/upstream/internal/mqttlink"
)

// Two bridges with one certificate end each other's connections, and only the log can say so.
func TestConnectionsThatDoNotLast(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.WarnLevel)
	k := newTold(t)
	g := k.gateway
	g.log = zap.New(core)
	reset := fmt.Errorf("read: %w", syscall.ECONNRESET)
	now := time.UnixMilli(1_700_000_000_000)
	end := func(what string, up time.Duration, cause error, warned bool) {
		t.Helper()
		g.lasted(up, cause, now)
		lines := logs.TakeAll()
		if (len(lines) > 0) != warned || warned && !strings.Contains(lines[0].Message, "certificate in use elsewhere") {
			t.Errorf("%s: logged %v", what, lines)
		}
	}
	end("the first", time.Second, io.EOF, false)
	end("the second", time.Second, reset, false)
	end("a long one", g.cfg.ReconnectMax+1, io.EOF, false)
	end("the first again", time.Second, io.ErrUnexpectedEOF, false)
	end("the second again", time.Second, io.EOF, false)
	for _, cause := range []error{mqttlink.ErrSilent, errLeaked, errUnanswered, errors.New("network is unreachable")} {
		end(cause.Error(), time.Second, cause, false)
	}
	end("the third", time.Second, io.EOF, true)
	end("the fourth", time.Second, io.EOF, false) // said just now
	now = now.Add(quiet.For)
	end("the fifth", time.Second, io.EOF, true)
}
