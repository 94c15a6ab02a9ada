package route

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linkspan/linkspan/upstream"
)

// Config is which devices go where.
type Config struct {
	Routes []Rule     `conf:"routes" doc:"the first that fits a device says where it goes"`
	Copies CopyConfig `conf:"copies" doc:"what goes to copies"`
}

// Rule says where the devices go that it fits. Its patterns all have to match;
// one that is not given always does. In patterns * stands for any text and ? for
// one character.
type Rule struct {
	Listener     string   `conf:"listener" doc:"pattern of the name of the listener that the device came through; *: any text, ?: one character; empty: any"`
	Product      string   `conf:"product" doc:"pattern of the device's productKey; empty: any"`
	Device       string   `conf:"device" doc:"pattern of the device's name, at its platform or its own; empty: any"`
	To           string   `conf:"to" doc:"name of the upstream that is its platform"`
	Copies       []string `conf:"copies" doc:"names of upstreams that get copies of what it says; their failures never disturb the platform"`
	CopyCommands bool     `conf:"copyCommands" doc:"hand commands of copies to the device too; otherwise they are refused"`
}

// CopyConfig bounds what is kept for each upstream that gets copies.
type CopyConfig struct {
	Queue        int           `conf:"queue" doc:"messages waiting for one upstream that gets copies or under way to it; more are dropped and counted"`
	QueueBytes   int64         `conf:"queueBytes,bytes" doc:"size of those messages; more are dropped and counted"`
	RetryMin     time.Duration `conf:"retryMin" doc:"first pause before a login is tried again; doubled each time, with jitter"`
	RetryMax     time.Duration `conf:"retryMax" doc:"longest pause before a login is tried again"`
	CloseTimeout time.Duration `conf:"closeTimeout" doc:"how long the end may wait for copies that are under way"`
}

// DefaultConfig is a configuration without routes.
func DefaultConfig() Config {
	return Config{Copies: CopyConfig{
		Queue: 65536, QueueBytes: 64 << 20, RetryMin: time.Second, RetryMax: time.Minute, CloseTimeout: 3 * time.Second,
	}}
}

// withDefaults fills in what zero stands for.
func (c CopyConfig) withDefaults() CopyConfig {
	d := DefaultConfig().Copies
	if c.Queue == 0 {
		c.Queue = d.Queue
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = d.QueueBytes
	}
	for _, p := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&c.RetryMin, d.RetryMin}, {&c.RetryMax, d.RetryMax}, {&c.CloseTimeout, d.CloseTimeout}} {
		if *p.value == 0 {
			*p.value = p.or
		}
	}
	return c
}

// KeyError is a mistake in a configuration.
type KeyError struct {
	Key     string // such as routes.0.to
	Problem string // what is wrong and what is wanted
}

func (e *KeyError) Error() string { return "route: " + e.Key + " " + e.Problem }

// check reports all that is wrong with c, which has its defaults.
func (c *Config) check(upstreams map[string]upstream.Connector) error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, &KeyError{key, fmt.Sprintf(format, args...)})
	}
	if c.Copies.Queue < 1 {
		wrong("copies.queue", "is %d, want 1 or more", c.Copies.Queue)
	}
	if c.Copies.QueueBytes < 1 {
		wrong("copies.queueBytes", "is %d, want 1 or more, such as 64MiB", c.Copies.QueueBytes)
	}
	if c.Copies.RetryMin < 0 || c.Copies.RetryMax < c.Copies.RetryMin {
		wrong("copies.retryMin", "and retryMax are %v and %v, want more than 0, and the longest not less than the first", c.Copies.RetryMin, c.Copies.RetryMax)
	}
	if c.Copies.CloseTimeout < 0 {
		wrong("copies.closeTimeout", "is %v, want more than 0", c.Copies.CloseTimeout)
	}
	if len(upstreams) == 0 {
		wrong("upstreams", "has none: want one or more")
	}
	if len(c.Routes) == 0 {
		wrong("routes", "has none, so that no device goes anywhere: want at least { to = NAME }")
	}
	names := strings.Join(slices.Sorted(maps.Keys(upstreams)), ", ")
	used := map[string]bool{}
	known := func(key, name string) {
		used[name] = true
		if upstreams[name] == nil {
			wrong(key, "is %q, which is no upstream: want one of %s", name, names)
		}
	}
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes.%d", i)
		known(key+".to", r.To)
		seen := map[string]bool{r.To: true}
		for _, name := range r.Copies {
			known(key+".copies", name)
			if seen[name] {
				wrong(key+".copies", "has %s, which gets the messages already", name)
			}
			seen[name] = true
		}
		if r.CopyCommands && len(r.Copies) == 0 {
			wrong(key+".copyCommands", "is set, but there are no copies")
		}
		if i > 0 && c.Routes[i-1].fitsAll() {
			wrong(key, "is never reached: the one before fits every device")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(upstreams)) {
		if !used[name] && len(c.Routes) > 0 {
			wrong("upstreams."+name, "is not used by any of routes")
		}
	}
	return errors.Join(errs...)
}

// fitsAll says whether every device fits r.
func (r *Rule) fitsAll() bool {
	for _, pattern := range []string{r.Listener, r.Product, r.Device} {
		if strings.Trim(pattern, "*") != "" {
			return false
		}
	}
	return true
}

// fits says whether a device does.
func (r *Rule) fits(l *upstream.Login) bool {
	return match(r.Listener, l.Listener) && match(r.Product, l.Device.ProductKey) &&
		(match(r.Device, l.Device.DeviceName) || l.Name != "" && match(r.Device, l.Name))
}

// match says whether text is what pattern says: * is any text, ? one character.
// An empty pattern is any text.
func match(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	i, j, star, from := 0, 0, -1, 0
	for j < len(text) {
		_, size := utf8.DecodeRuneInString(text[j:])
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case i < len(pattern) && pattern[i] == '?':
			i++
			j += size
		case i < len(pattern) && pattern[i] == text[j]:
			i++
			j++
		case star >= 0: // the last star takes one more
			_, size = utf8.DecodeRuneInString(text[from:])
			from += size
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
