// Package admin is the operators' side door of a process: metrics for
// Prometheus on /metrics, whether the process lives on /healthz, and whether it
// should be sent devices on /readyz. Health is for everybody who can reach it;
// metrics are for this machine, and for those who show a token. It knows nothing
// of what it shows: the command hands it snapshots.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
)

// Config is the admin section of application.conf.
type Config struct {
	Address string      `conf:"address" doc:"host:port to serve /metrics, /healthz and /readyz on; empty: nowhere. Keep it on loopback or a private network"`
	Token   auth.Secret `conf:"token" doc:"what /metrics asks everybody for, as a bearer token of at least 16 visible ASCII characters; none: /metrics is for this machine alone. Health asks for nothing"`
}

// DefaultConfig is the configuration of someone who wrote nothing.
func DefaultConfig() Config { return Config{Address: "127.0.0.1:9180"} }

// minToken is the shortest token in characters.
const minToken = 16

// Validate reports an address that cannot be one, and a token that is too short
// or cannot be sent.
func (c Config) Validate() error {
	token := c.Token.Reveal()
	var err error
	if token != "" && (len(token) < minToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		err = fmt.Errorf("admin: token: must be at least %d visible ASCII characters", minToken)
	}
	return errors.Join(c.validateAddress(), err)
}

func (c Config) validateAddress() error {
	if c.Address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(c.Address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("admin: address %q: %w; want host:port with a port of 0 to 65535, or nothing", c.Address, err)
	}
	return nil
}

// Server serves the side door. Its methods may be called from any goroutine.
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{} // closed when the serving goroutine has ended
}

// Start serves on cfg.Address, and returns nil and no error when that is empty.
// ready says by nil that devices may be sent here, and by its error why not.
// The caller ends it with Close.
func Start(ctx context.Context, cfg Config, log *zap.Logger, ready func() error, sources ...Stats) (*Server, error) {
	if cfg.Address == "" {
		return nil, nil //nolint:nilnil // no server is what was asked for
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("admin: address %s (key admin.address) is in use; stop the process that has it (ss -ltnp shows it) or choose another: %w", cfg.Address, err)
	case err != nil:
		return nil, fmt.Errorf("admin: cannot listen on %s (key admin.address): %w", cfg.Address, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{sources})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", cfg.guard(promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	s := &Server{
		http: &http.Server{
			Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		},
		addr: listener.Addr(),
		done: make(chan struct{}),
	}
	go func() { // ended by Close, which waits for it
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("admin server ended", zap.NamedError("err", err))
		}
	}()
	return s, nil
}

// guard lets those through to next who may see metrics.
func (c Config) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + c.Token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization"))) // of one length, so that the time tells nothing
		switch {
		case c.Token == "" && !fromHere(r):
			http.Error(w, "metrics are for this machine alone: set admin.token to show them to others", http.StatusForbidden)
		case c.Token != "" && subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			w.Header().Set("WWW-Authenticate", `Bearer realm="linkspan"`)
			http.Error(w, "the token of admin.token is needed: Authorization: Bearer ...", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// fromHere says whether r comes from this machine: over loopback, or from the
// address that it came to.
func fromHere(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	if peer.Addr().Unmap().IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() == peer.Addr().Unmap()
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.addr }

// Close stops the server, waiting for its requests until ctx is done. A nil
// server is closed already.
func (s *Server) Close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // what did not end in time is cut off
	}
	<-s.done
	return err
}
