package static

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/recent"
	"github.com/linkspan/linkspan/internal/testclock"
)

// hashed is a line of a file.
func hashed(t *testing.T, identity string, secret auth.Secret) string {
	t.Helper()
	text, err := HashBcrypt(secret, 4)
	if err != nil {
		t.Fatal(err)
	}
	return identity + ":" + text + "\n"
}

// replace puts a file with that text in the place of the one before, as one
// step.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, text string, opts ...Option) (*Provider, string) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.File = filepath.Join(t.TempDir(), "secrets.txt")
	replace(t, cfg.File, text)
	p, err := New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p, cfg.File
}

func check(t *testing.T, p *Provider, identity, secret string, good bool) {
	t.Helper()
	err := p.Authenticate(t.Context(), identity, []string{secret})
	if good && err != nil || !good && !errors.Is(err, auth.ErrBadCredentials) {
		t.Errorf("%s: %v", identity, err)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	p, _ := open(t, "\ufeff# devices\n\n  "+hashed(t, "13800138001", "sesame")+hashed(t, "a:b c", "barley")+"设备:"+foreign[3].hash+"\r\n")
	check(t, p, "13800138001", "sesame", true)
	check(t, p, "13800138001", "barley", false)
	check(t, p, "a:b c", "barley", true)
	check(t, p, "设备", "password", true)
	check(t, p, "nobody", "sesame", false)
	check(t, p, "", "", false)
	check(t, p, "13800138001", strings.Repeat("x", 1<<20), false)
	if err := p.Authenticate(t.Context(), "13800138001", nil); !errors.Is(err, auth.ErrBadCredentials) {
		t.Errorf("no credentials: %v", err)
	}
	if p.Len() != 3 {
		t.Errorf("%d devices", p.Len())
	}
	if got, want := p.Stats().Auth, (auth.Stats{Checks: 8, Denied: 5}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestAnEmptyFileKnowsNobody(t *testing.T) {
	t.Parallel()
	p, _ := open(t, "# nobody yet\n")
	check(t, p, "a", "sesame", false)
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Credential: -1, Reload: -1, Checks: -1, Cache: recent.Config{Entries: -1, Lifetime: -1}})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		"file is", "credential is -1", "reload is", "maxFile is", "checks is", "limits.bcryptCost", "limits.argonMemory",
		"limits.argonPasses", "limits.argonThreads", "cache: entries", "lifetime is",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
}

func TestMistakesOfTheFile(t *testing.T) {
	t.Parallel()
	good := hashed(t, "a", "sesame")
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"several": {
			"nonsense\n" + good + ":" + foreign[0].hash + "\nb:hunter2\n" + good + "c:hunter2:too\n",
			[]string{":1: want IDENTITY:HASH", ":3: the identity is empty", `:4: "b"`, "linkspan auth hash", `:5: "a" was there before`, `:6: "c..."`},
		},
		"very many":   {strings.Repeat("nonsense\n", 1000), []string{":20:", "and 980 more"}},
		"a long line": {"# " + strings.Repeat("x", 5000), []string{":1:", "too long"}},
		"too large":   {strings.Repeat("#\n", 2048), []string{"maxFile"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := DefaultConfig()
			cfg.File, cfg.MaxFile = filepath.Join(t.TempDir(), "secrets.txt"), 16<<10
			if name == "too large" {
				cfg.MaxFile = 4095
			}
			replace(t, cfg.File, c.text)
			_, err := New(cfg)
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("lacks %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), ":21:") {
				t.Errorf("tells too much:\n%v", err)
			}
		})
	}
	cfg := DefaultConfig()
	for _, path := range []string{filepath.Join(t.TempDir(), "gone.txt"), t.TempDir()} {
		cfg.File = path
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// counting is a hash whose computations are counted, and held up.
type counting struct {
	secret string
	began  chan string // told its name when a computation begins
	name   string
	end    chan struct{} // ends one
}

func (c counting) matches(secret string) bool {
	c.began <- c.name
	<-c.end
	return secret == c.secret
}

// counted is a provider whose devices a and b have hashes that are counted.
func counted(t *testing.T, cfg Config, opts ...Option) (*Provider, chan string, chan struct{}) {
	t.Helper()
	cfg.File = filepath.Join(t.TempDir(), "secrets.txt")
	replace(t, cfg.File, hashed(t, "a", "1")+hashed(t, "b", "1"))
	p, err := New(cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	began, end := make(chan string, 100), make(chan struct{}, 100)
	for identity, i := range p.table.Load().index {
		p.table.Load().hashes[i].hash = counting{secret: "sesame", began: began, name: identity, end: end}
	}
	return p, began, end
}

// An identity that is not in the file costs one computation, as a wrong secret
// does; always of the same hash, so that trying again shows nothing.
func TestStrangersCostTheSame(t *testing.T) {
	t.Parallel()
	p, began, end := counted(t, DefaultConfig())
	close(end)
	used := map[string]bool{}
	for i := range 40 {
		stranger := fmt.Sprintf("stranger-%d", i)
		var first string
		for n := range 2 {
			check(t, p, stranger, "sesame", false) // the right secret of the one that is computed
			if len(began) != 1 {
				t.Fatalf("%s: %d computations", stranger, len(began))
			}
			if got := <-began; n == 0 {
				first, used[got] = got, true
			} else if got != first {
				t.Errorf("%s: first as %s, then as %s", stranger, first, got)
			}
		}
	}
	if len(used) != 2 {
		t.Errorf("strangers cost what %v costs", used)
	}
	if check(t, p, "a", "wrong", false); len(began) != 1 {
		t.Errorf("a wrong secret: %d computations", len(began))
	}
}

func TestSuccessesAreRemembered(t *testing.T) {
	t.Parallel()
	c := testclock.New()
	cfg := DefaultConfig()
	cfg.Reload = 0
	p, began, end := counted(t, cfg, WithClock(c.Now))
	close(end)
	for _, step := range []struct {
		identity, secret string
		good, computed   bool
		after            time.Duration
	}{
		{"a", "sesame", true, true, 0},
		{"a", "sesame", true, false, time.Minute},
		{"a", "barley", false, true, 0}, // as long as ever
		{"a", "barley", false, true, 0}, // failures are not remembered
		{"b", "sesame", true, true, 0},  // another device
		{"a", "sesame", true, false, 8 * time.Minute},
		{"a", "sesame", true, true, 2 * time.Minute}, // too long ago
	} {
		c.Advance(step.after)
		check(t, p, step.identity, step.secret, step.good)
		if got := len(began) == 1; got != step.computed {
			t.Errorf("%+v: computed: %t", step, got)
		}
		for len(began) > 0 {
			<-began
		}
	}
	if st := p.Stats(); st.Auth.Cached != 2 || st.Auth.Checks != 7 || st.Auth.Denied != 2 || st.Remembered != 2 {
		t.Errorf("counted %+v", st)
	}
}

func TestComputationsAreBounded(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Checks = 2
	p, began, end := counted(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 5)
	for range 5 {
		go func() { results <- p.Authenticate(ctx, "a", []string{"sesame"}) }()
	}
	<-began
	<-began
	cancel() // those that wait give up, the two go on
	for range 3 {
		if err := <-results; !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrDenied) {
			t.Errorf("a device that waited: %v", err)
		}
	}
	if len(began) != 0 {
		t.Error("more than two at once")
	}
	end <- struct{}{}
	end <- struct{}{}
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if st := p.Stats().Auth; st.Failures != 3 || st.Checks != 5 {
		t.Errorf("counted %+v", st)
	}
}

func TestTheFileIsReadAgain(t *testing.T) {
	t.Parallel()
	c := testclock.New()
	core, lines := observer.New(zap.InfoLevel)
	p, path := open(t, hashed(t, "a", "1")+hashed(t, "b", "1"), WithClock(c.Now), WithLogger(zap.New(core)))
	check(t, p, "a", "1", true)
	check(t, p, "b", "1", true)
	replace(t, path, hashed(t, "a", "2"))
	check(t, p, "a", "1", true) // not looked at yet
	c.Advance(5 * time.Second)
	check(t, p, "a", "1", false) // although it was remembered
	check(t, p, "a", "2", true)
	check(t, p, "b", "1", false)

	replace(t, path, "nonsense\n")
	for range 3 {
		c.Advance(5 * time.Second)
		check(t, p, "a", "2", true) // the one before is in force
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.Advance(5 * time.Second)
	check(t, p, "a", "2", true)
	if err := p.Reload(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reload of no file: %v", err)
	}
	replace(t, path, hashed(t, "c", "3"))
	if err := p.Reload(); err != nil {
		t.Error(err)
	}
	check(t, p, "c", "3", true)
	check(t, p, "a", "2", false)
	if st := p.Stats(); st.Reloads != 2 || st.ReloadFailures != 3 || st.Identities != 1 {
		t.Errorf("counted %+v", st)
	}
	if n := lines.FilterLevelExact(zap.ErrorLevel).Len(); n != 2 {
		t.Errorf("%d complaints, want one for each thing that was wrong: %v", n, lines.All())
	}
}

// The right to read a file changes neither its size nor its time.
func TestAFileThatMayBeReadLater(t *testing.T) {
	t.Parallel()
	if os.Geteuid() <= 0 {
		t.Skip("root may read everything")
	}
	c := testclock.New()
	p, path := open(t, hashed(t, "a", "1"), WithClock(c.Now))
	replace(t, path, hashed(t, "a", "2"))
	for _, mode := range []os.FileMode{0, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		c.Advance(5 * time.Second)
		check(t, p, "a", "2", mode != 0)
	}
}

func TestTheFileIsNotReadAgain(t *testing.T) {
	t.Parallel()
	c := testclock.New()
	cfg := DefaultConfig()
	cfg.Reload = 0
	cfg.File = filepath.Join(t.TempDir(), "secrets.txt")
	replace(t, cfg.File, hashed(t, "a", "1"))
	p, err := New(cfg, WithClock(c.Now))
	if err != nil {
		t.Fatal(err)
	}
	replace(t, cfg.File, hashed(t, "a", "2"))
	c.Advance(time.Hour)
	check(t, p, "a", "2", false)
	check(t, p, "a", "1", true)
}

func TestPluginTakesRelativePaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	replace(t, filepath.Join(dir, "secrets.txt"), hashed(t, "a", "sesame"))
	cfg := DefaultConfig()
	cfg.File = "secrets.txt"
	p, err := Plugin.New(cfg, auth.Host{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Authenticate(t.Context(), "a", []string{"sesame"}); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	line := hashed(t, "a", "1")
	p, path := open(t, line)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 5 {
				check(t, p, "a", "1", true)
				check(t, p, "a", strconv.Itoa(i+2), false)
			}
		})
	}
	all.Go(func() {
		for range 5 {
			replace(t, path, line)
			if err := p.Reload(); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
}

func BenchmarkRemembered(b *testing.B) {
	cfg := DefaultConfig()
	cfg.File = filepath.Join(b.TempDir(), "secrets.txt")
	if err := os.WriteFile(cfg.File, []byte("a:"+foreign[0].hash), 0o600); err != nil {
		b.Fatal(err)
	}
	p, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, credentials := b.Context(), []string{"sesame"}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Authenticate(ctx, "a", credentials); err != nil {
			b.Fatal(err)
		}
	}
}
