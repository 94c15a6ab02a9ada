package components

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/jt808"
	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/hmactoken"
	"github.com/linkspan/linkspan/auth/httpauth"
	"github.com/linkspan/linkspan/auth/static"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

const truck = "13800138001"

// listen serves terminals whose credentials p checks.
func listen(t *testing.T, policy string, p auth.Provider) net.Addr {
	t.Helper()
	b := start(t, newCloud(), everyone{}, bridge.WithAuth(p))
	cfg := adapter.DefaultConfig()
	cfg.Authentication.Policy, cfg.Authentication.Key = policy, "0123456789abcdef"
	open, err := adapter.New("jt808").New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.DefaultConfig(), []server.Listener{{
		Name: "trucks", Address: "127.0.0.1:0", Protocol: "jt808", Open: open, Limits: server.DefaultLimits(),
		Host: &protocol.Host{Uplink: b.Uplink(), Listener: "trucks"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := srv.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv.Addr("trucks")
}

// ask sends one message on a connection of its own, and is the body of the answer.
func ask(t *testing.T, addr net.Addr, m jt808.Body) []byte {
	t.Helper()
	phone, err := jt808.ParsePhone(truck, jt808.V2013)
	if err != nil {
		t.Fatal(err)
	}
	body, err := m.AppendBody(nil, jt808.V2013)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := jt808.AppendFrame(nil, &jt808.Frame{Header: jt808.Header{ID: m.ID(), Version: jt808.V2013, Phone: phone}, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	d := dial(t, addr)
	defer func() { _ = d.conn.Close() }()
	if _, err := d.conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	var in []byte
	for buf := make([]byte, 1024); ; {
		n, err := d.conn.Read(buf)
		if err != nil {
			t.Fatalf("no answer to %s: %v", m.ID(), err)
		}
		in = append(in, buf[:n]...)
		f, _, err := decoder.Decode(in)
		if errors.Is(err, codec.ErrIncomplete) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(f.Body)
	}
}

// authenticate is the result of a message 0x0102.
func authenticate(t *testing.T, addr net.Addr, code string) jt808.Result {
	t.Helper()
	var r jt808.PlatformResponse
	if err := r.ParseBody(ask(t, addr, &jt808.Authenticate{Code: code}), jt808.V2013); err != nil {
		t.Fatal(err)
	}
	return r.Result
}

// register is the answer to a message 0x0100.
func register(t *testing.T, addr net.Addr, terminalID string) jt808.RegisterResponse {
	t.Helper()
	var r jt808.RegisterResponse
	m := &jt808.Register{Manufacturer: "70111", Model: "X1", TerminalID: terminalID, PlateColor: jt808.PlateBlue, Plate: "京A12345"}
	if err := r.ParseBody(ask(t, addr, m), jt808.V2013); err != nil {
		t.Fatal(err)
	}
	return r
}

// Terminals whose authentication code is a secret or a token of their own.
func TestTerminalsWithSecrets(t *testing.T) {
	t.Parallel()
	hash, err := static.HashBcrypt("sesame", 4)
	if err != nil {
		t.Fatal(err)
	}
	cfg := static.DefaultConfig()
	cfg.File = filepath.Join(t.TempDir(), "secrets.txt")
	if err = os.WriteFile(cfg.File, []byte(truck+":"+hash), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets, err := static.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key := hmactoken.Key{ID: "k1", Secret: auth.Secret(strings.Repeat("k", 32))}
	tokens, err := hmactoken.New(hmactoken.Config{Keys: []hmactoken.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := key.Sign(truck, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		provider auth.Provider
		code     string
	}{"static": {secrets, "sesame"}, "token": {tokens, token}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, "accept", c.provider)
			if got := authenticate(t, addr, c.code); got != jt808.ResultOK {
				t.Errorf("the right code: %s", got)
			}
			if got := authenticate(t, addr, c.code+"x"); got != jt808.ResultFailed {
				t.Errorf("a wrong code: %s", got)
			}
			if got := register(t, addr, "0012345"); got.Result != jt808.RegisterTerminalUnknown || got.Code != "" {
				t.Errorf("a registration: %+v", got)
			}
		})
	}
}

// Terminals that register, at a server that knows them.
func TestTerminalsOfAServer(t *testing.T) {
	t.Parallel()
	asked := make(chan []string, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Identity    string
			Credentials []string
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Identity != truck {
			t.Errorf("asked about %q: %v", q.Identity, err)
		}
		asked <- q.Credentials
		if len(q.Credentials) == 4 && q.Credentials[0] != "0012345" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(srv.Close)
	cfg := httpauth.DefaultConfig()
	cfg.URL = srv.URL
	p, err := httpauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	addr := listen(t, "require", p)
	if got := register(t, addr, "9999999"); got.Result != jt808.RegisterTerminalUnknown {
		t.Errorf("a registration that the server refuses: %+v", got)
	}
	registered := register(t, addr, "0012345")
	if registered.Result != jt808.RegisterOK || registered.Code == "" {
		t.Fatalf("a registration: %+v", registered)
	}
	if got := authenticate(t, addr, registered.Code); got != jt808.ResultOK {
		t.Errorf("its code: %s", got)
	}
	if got := authenticate(t, addr, "mine"); got != jt808.ResultFailed {
		t.Errorf("another code: %s", got)
	}
	for _, want := range [][]string{{"9999999", "京A12345", "70111", "X1"}, {"0012345", "京A12345", "70111", "X1"}, {registered.Code}} {
		if got := <-asked; !slices.Equal(got, want) {
			t.Errorf("the server was given %q, want %q", got, want)
		}
	}
	if len(asked) != 0 { // its signature is not linkspan's
		t.Errorf("the server was asked about another code: %q", <-asked)
	}
}
