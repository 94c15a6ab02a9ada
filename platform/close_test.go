package platform_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// TestCloseTellsWatchers closes the platform under load: whatever it has
// acknowledged, those who watch have seen.
func TestCloseTellsWatchers(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.WatchQueue = 1 << 16 })
	watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	c := newClient(t, options(p, pk, gw).SetWriteTimeout(time.Second))
	if err := c.connect(); err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(0)
	const enough, window = 500, 50
	var tokens []mqtt.Token
	closed := make(chan error, 1)
	for n := 0; ; n++ {
		tokens = append(tokens, c.Publish(c.sys("thing/event/property/post"), 1, false,
			fmt.Sprintf(`{"id":"%d","version":"1.0","params":{"n":%d},"method":"thing.event.property.post"}`, n, n)))
		if n == enough {
			go func() { closed <- p.Close(t.Context()) }()
		}
		if n >= window {
			if token := tokens[n-window]; !token.WaitTimeout(10*time.Second) || token.Error() != nil {
				break
			}
		}
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for {
		m, err := watch.Next(t.Context())
		if errors.Is(err, platform.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[m.ID] = true
	}
	acknowledged := 0
	for n, token := range tokens {
		if !token.WaitTimeout(10*time.Second) || token.Error() != nil {
			continue
		}
		acknowledged++
		if !seen[strconv.Itoa(n)] {
			t.Errorf("post %d was acknowledged, but nobody who watches has seen it", n)
		}
	}
	if acknowledged < enough/2 {
		t.Errorf("only %d of %d posts were acknowledged: this test shows nothing", acknowledged, len(tokens))
	}
}
