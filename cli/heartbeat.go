package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/config"
)

type heartbeatSettings struct {
	Interval time.Duration `conf:"interval" doc:"a heartbeat is lost when nothing was received for so long, at least 1s; 0: none are expected"`
	Probes   int           `conf:"probes" doc:"heartbeats that may be lost in a row"`
}

// shortestHeartbeat keeps from intervals that were meant to be of another unit, with
// which all devices would go offline at once.
const shortestHeartbeat = time.Second

// validate reports what cannot be in the section.
func (h heartbeatSettings) validate(tree *config.Tree, section string) error {
	var errs []error
	if h.Interval != 0 && h.Interval < shortestHeartbeat {
		hint := ""
		if given := tree.Text(section + ".interval"); isNumber(given) && h.Interval > 0 {
			hint = "a number without a unit counts milliseconds: write " + given + "s for seconds"
		}
		errs = append(errs, tree.Errorf(section+".interval", fmt.Sprintf("is %s, want at least %s, or 0 for none expected", h.Interval, shortestHeartbeat), hint))
	}
	if h.Probes < 0 {
		errs = append(errs, tree.Errorf(section+".probes", fmt.Sprintf("is %d, want 0 or more", h.Probes), ""))
	}
	return errors.Join(errs...)
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}
