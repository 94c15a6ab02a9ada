package gbt26875

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// step is one line of a script.
type step struct {
	after       time.Duration
	first, last int // panels, from 1
	event       Event
	part        int
}

// maxSteps is how many lines a script may have.
const maxSteps = 100_000

// readScript reads the file of Config.Script; none has no steps.
func readScript(path string, panels, parts int) ([]step, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path) //nolint:gosec // the user says which
	if err != nil {
		return nil, fmt.Errorf("simulate: script: %w", err)
	}
	defer func() { _ = file.Close() }() // it was read
	return parseScript(file, path, panels, parts)
}

// parseScript reads lines of a time, panels, an event and perhaps a part:
//
//	10s  1-5  fire    3   # a comment
//	1m   *    normal
//
// It reports all mistakes at once.
func parseScript(in io.Reader, name string, panels, parts int) (steps []step, err error) {
	var errs []error
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		s, err := parseStep(fields, panels, parts)
		if err == nil && len(steps) == maxSteps {
			err = fmt.Errorf("more than %d steps", maxSteps)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("simulate: script: %s:%d: %w", name, n, err))
			continue
		}
		steps = append(steps, s)
	}
	if err := lines.Err(); err != nil {
		errs = append(errs, fmt.Errorf("simulate: script: %s: %w", name, err))
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.after, b.after) })
	return steps, errors.Join(errs...)
}

func parseStep(fields []string, panels, parts int) (s step, err error) {
	if len(fields) < 3 || len(fields) > 4 {
		return s, errors.New("want time, panels, event and perhaps a part, such as: 10s 1-5 fire 3")
	}
	if s.after, err = time.ParseDuration(fields[0]); err != nil || s.after < 0 {
		return s, fmt.Errorf("time %q, want one such as 10s or 1m30s", fields[0])
	}
	if s.first, s.last, err = parsePanels(fields[1], panels); err != nil {
		return s, err
	}
	event := slices.Index(eventNames[:], fields[2])
	if event < 1 {
		return s, fmt.Errorf("event %q, want one of %s", fields[2], strings.Join(eventNames[1:], ", "))
	}
	s.event = Event(event) //nolint:gosec // few
	if len(fields) == 4 {
		if s.part, err = strconv.Atoi(fields[3]); err != nil || s.part < 1 || s.part > parts {
			return s, fmt.Errorf("part %q, there are 1 to %d", fields[3], parts)
		}
	}
	return s, nil
}

// parsePanels reads 3, 1-5 or *.
func parsePanels(text string, panels int) (first, last int, err error) {
	if text == "*" {
		return 1, panels, nil
	}
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	first, err1 := strconv.Atoi(low)
	last, err2 := strconv.Atoi(high)
	if err1 != nil || err2 != nil || first < 1 || last > panels || first > last {
		return 0, 0, fmt.Errorf("panels %q, there are 1 to %d: want one, some such as 1-5, or *", text, panels)
	}
	return first, last, nil
}

// play lets happen what the script says until ctx ends.
func (f *Fleet) play(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, s := range f.steps {
		timer.Reset(time.Duration(f.began.Load()) + s.after - time.Duration(f.now()))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		for n := s.first; n <= s.last && ctx.Err() == nil; n++ {
			if err := f.Raise(n, s.event, s.part); err != nil {
				f.log.Warn("step of the script failed", zap.Error(err))
			}
		}
	}
}
