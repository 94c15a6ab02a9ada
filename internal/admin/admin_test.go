package admin

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
)

type listenerStats struct {
	Name     string            `label:"listener"`
	Open     int               `metric:"linkspan_server_connections" doc:"connections open now"`
	Accepted uint64            `metric:"linkspan_server_accepted_total" doc:"connections accepted"`
	Closed   map[string]uint64 `metric:"linkspan_server_closed_total" label:"cause" doc:"connections closed, by cause"`
}

type stats struct {
	Sessions  int64 `metric:"linkspan_session_sessions" doc:"sessions open now"`
	Listeners []listenerStats
	Connector any
	private   int //nolint:unused // shows that untagged fields are passed over
}

func snapshot() any {
	return stats{Sessions: 3, Listeners: []listenerStats{
		{Name: "a", Open: 2, Accepted: 5, Closed: map[string]uint64{"idle": 1, "shutdown": 2}},
		{Name: "b", Accepted: 7},
	}, Connector: &connectorStats{Name: "cloud", Stats: struct {
		Devices int `metric:"linkspan_upstream_devices" doc:"devices logged in now"`
	}{5}}}
}

type connectorStats struct {
	Name  string `label:"upstream"`
	Stats any
}

func get(t *testing.T, s *Server, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func start(t *testing.T, ready func() error, sources ...Stats) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{Address: "127.0.0.1:0"}, zap.NewNop(), ready, sources...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s
}

func TestSnapshotsBecomeMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, func() error { return nil }, snapshot)
	code, body := get(t, s, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	for _, want := range []string{
		"# HELP linkspan_session_sessions sessions open now",
		"# TYPE linkspan_session_sessions gauge",
		"linkspan_session_sessions 3\n",
		"# TYPE linkspan_server_accepted_total counter",
		`linkspan_server_connections{listener="a"} 2`,
		`linkspan_server_accepted_total{listener="b"} 7`,
		`linkspan_server_closed_total{cause="idle",listener="a"} 1`,
		`linkspan_upstream_devices{upstream="cloud"} 5`,
		"go_goroutines ",
		"process_resident_memory_bytes ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	var draining atomic.Bool
	s := start(t, func() error {
		if draining.Load() {
			return errors.New("draining")
		}
		return nil
	})
	if code, _ := get(t, s, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	if code, _ := get(t, s, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz while ready: %d", code)
	}
	draining.Store(true)
	if code, body := get(t, s, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
		t.Errorf("/readyz while draining: %d %q", code, body)
	}
}

func TestAddressTakenNamesTheKey(t *testing.T) {
	t.Parallel()
	s := start(t, func() error { return nil })
	_, err := Start(t.Context(), Config{Address: s.Addr().String()}, zap.NewNop(), nil)
	if err == nil || !strings.Contains(err.Error(), "(key admin.address) is in use; stop the process that has it (ss -ltnp shows it) or choose another") {
		t.Errorf("error %v", err)
	}
}
