// Package admin is the operators' side door of a process: metrics for
// Prometheus on /metrics, whether the process lives on /healthz, and whether it
// should be sent devices on /readyz. It is meant for loopback or a private
// network and knows nothing of what it shows: the command hands it snapshots.
package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Config is the admin section of application.conf.
type Config struct {
	Address string `conf:"address" doc:"host:port to serve /metrics, /healthz and /readyz on; empty: nowhere. Keep it on loopback or a private network: it asks nobody who they are"`
}

// DefaultConfig is the configuration of someone who wrote nothing.
func DefaultConfig() Config { return Config{Address: "127.0.0.1:9180"} }

// Validate reports an address that cannot be one.
func (c Config) Validate() error {
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
	if err != nil {
		return nil, fmt.Errorf("admin: listen on %s (key admin.address): %w", cfg.Address, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{sources})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
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
