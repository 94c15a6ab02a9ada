package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlatformMetrics looks at the metrics of a local platform.
func TestPlatformMetrics(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	root := newRoot()
	out, in := io.Pipe()
	root.SetOut(in)
	root.SetErr(in)
	root.SetArgs(strings.Fields("platform --mqtt 127.0.0.1:0 --api 127.0.0.1:0 --admin 127.0.0.1:0"))
	ended := make(chan error, 1)
	go func() { // ends on cancel
		err := root.ExecuteContext(ctx)
		_ = in.CloseWithError(io.EOF)
		ended <- err
	}()
	url := ""
	lines := bufio.NewScanner(out)
	for url == "" && lines.Scan() {
		url, _ = strings.CutPrefix(lines.Text(), "metrics on ")
		if !strings.HasPrefix(url, "http") {
			url = ""
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), "linkspan_platform_connections 0\n") {
		t.Errorf("%v: %.400s", err, text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A configuration that a platform shares with others has warnings for its own section.
func TestPlatformUnknownKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lab.conf")
	text := "other.key = 1\nplatform { saveIntervall = 3s, http2Address = \"127.0.0.1:0\" }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := platformFlags{file: file}
	cfg, tree, err := flags.config()
	unknown := unknownToPlatform(tree)
	if err != nil || cfg.HTTP2Address != "127.0.0.1:0" {
		t.Fatalf("%q, %v", cfg.HTTP2Address, err)
	}
	if len(unknown) != 1 || unknown[0].Key != "platform.saveIntervall" || !strings.Contains(unknown.Error(), "saveInterval?") {
		t.Errorf("unknown keys: %v", unknown)
	}
}

// TestPlatformMistakesSayWhere is about a section with mistakes and unknown keys.
func TestPlatformMistakesSayWhere(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.conf")
	text := "platform { mqttAdress = x, reply = maybe\ndevices = [{ productKey = a, deviceName = b, deviceSecrt = c }] }"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := run(t, "", "platform", "-c", file)
	for _, want := range []string{
		"p.conf:1:36: platform.reply: \"maybe\" is none of", "p.conf:2:12: platform.devices.0: a/b has no deviceSecret",
		"p.conf:1:12: platform.mqttAdress: is not a known key; did you mean mqttAddress?", "p.conf:2:46: platform.devices.0.deviceSecrt: is not a known key; did you mean deviceSecret?",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	_, err = run(t, "", "platform", "--gateway", "a/b:")
	if err == nil || !strings.Contains(err.Error(), "platform: devices[0]: a/b has no deviceSecret") {
		t.Errorf("without a file: %v", err)
	}
}
