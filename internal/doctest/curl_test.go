package doctest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
)

// The curl commands of the local platform's page, in their order, do what they
// are there for: none is answered with an error.
func TestCurlOfTheLocalPlatform(t *testing.T) {
	t.Parallel()
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = "127.0.0.1:0", "127.0.0.1:0"
	p, err := platform.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := p.AddDevice(auth.Identity{ProductKey: "demoGateway", DeviceName: "bridge", DeviceSecret: "s"}, ""); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range pages(t) {
		if page.name != "docs/platforms/local.md" {
			continue
		}
		for _, b := range page.code {
			for line := range strings.Lines(b.text) {
				if b.lang == "sh" && strings.HasPrefix(line, "curl ") {
					seen++
					curl(t, strings.TrimSpace(line), p.APIAddr())
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d commands were found", seen)
	}
}

// curl does what the command does, at another address.
func curl(t *testing.T, line, address string) {
	t.Helper()
	method, target, body, stream := http.MethodGet, "", "", false
	words := quoted(line)[1:]
	for i := 0; i < len(words); i++ {
		switch w := words[i]; w {
		case "-s":
		case "-sN":
			stream = true
		case "-X":
			i++
			method = words[i]
		case "-d":
			i++
			method, body = http.MethodPost, words[i]
		case "--max-time":
			i++
		default:
			target = strings.Replace(w, "127.0.0.1:1884", address, 1)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer func() { _ = res.Body.Close() }()
	var text []byte
	if !stream {
		if text, err = io.ReadAll(res.Body); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("%s: %s: %s", line, res.Status, text)
	}
}

// quoted splits a line of shell with quotation marks into words.
func quoted(line string) (words []string) {
	var word strings.Builder
	quote := rune(0)
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && r == ' ':
			if word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return words
}
