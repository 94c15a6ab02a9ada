package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server/keystore"
)

// TLSConfig is how a listener's connections are encrypted: TLS 1.2 and 1.3, with
// the cipher suites that the Go team recommends.
type TLSConfig struct {
	keystore.Source

	Certificates []keystore.Source `conf:"certificates" doc:"further certificates, each given like the first; a device gets the one whose name it asks for (SNI), and the first when there is none"`
	ClientAuth   string            `conf:"clientAuth" doc:"none: devices are not asked for certificates; optional: a certificate that a device shows has to be valid; required: every device has to show one"`
	ClientCA     []string          `conf:"clientCa" doc:"PEM files of the authorities that sign devices' certificates"`
	Identity     string            `conf:"identity" doc:"where a device's certificate has the identity that the device has to log in with: cn, dns, uri or email; empty: the identity is not compared; needs clientAuth required"`
	MinVersion   string            `conf:"minVersion" doc:"oldest version of TLS: 1.2 or 1.3"`
	Tickets      bool              `conf:"sessionTickets" doc:"whether devices that come back may resume their session, which is cheaper"`
	Reload       time.Duration     `conf:"reload" doc:"how often the files are looked at; when they have changed they are read again, for connections to come; 0: never"`
}

// The values of TLSConfig.ClientAuth.
const (
	ClientAuthNone     = "none"
	ClientAuthOptional = "optional"
	ClientAuthRequired = "required"
)

// The values of TLSConfig.MinVersion.
const (
	TLS12 = "1.2"
	TLS13 = "1.3"
)

// DefaultTLSConfig is the configuration of someone who wrote nothing but where the
// certificate is.
func DefaultTLSConfig() TLSConfig {
	return TLSConfig{ClientAuth: ClientAuthNone, MinVersion: TLS12, Tickets: true, Reload: time.Minute}
}

// SetDefaults puts the defaults into c, for configurations that are read where a
// section tls is.
func (c *TLSConfig) SetDefaults() { *c = DefaultTLSConfig() }

const shortestReload = time.Second

func (c *TLSConfig) validate() error {
	var errs []error
	if _, ok := clientAuths[c.ClientAuth]; !ok {
		errs = append(errs, fmt.Errorf("clientAuth is %q, want none, optional or required", c.ClientAuth))
	}
	if c.ClientAuth != ClientAuthNone && c.ClientAuth != "" && len(c.ClientCA) == 0 {
		errs = append(errs, errors.New("clientCa is empty, want the PEM files of the authorities that sign devices' certificates"))
	}
	if _, ok := tlsVersions[c.MinVersion]; !ok {
		errs = append(errs, fmt.Errorf("minVersion is %q, want 1.2 or 1.3", c.MinVersion))
	}
	if c.Identity != "" {
		if !slices.Contains(protocol.CertificateNames(), c.Identity) {
			errs = append(errs, fmt.Errorf("identity is %q, want one of %q", c.Identity, protocol.CertificateNames()))
		}
		if c.ClientAuth != ClientAuthRequired {
			errs = append(errs, errors.New("identity is given, which needs clientAuth = required"))
		}
	}
	if c.Reload != 0 {
		errs = append(errs, between("reload", c.Reload, shortestReload, longestLimit))
	}
	return errors.Join(errs...)
}

var (
	clientAuths = map[string]tls.ClientAuthType{
		"": tls.NoClientCert, ClientAuthNone: tls.NoClientCert,
		ClientAuthOptional: tls.VerifyClientCertIfGiven, ClientAuthRequired: tls.RequireAndVerifyClientCert,
	}
	tlsVersions = map[string]uint16{"": tls.VersionTLS12, TLS12: tls.VersionTLS12, TLS13: tls.VersionTLS13}
)

// TLS is the certificates and rules of listeners whose connections are encrypted.
// It may be used from any goroutine, and by several listeners.
type TLS struct {
	cfg     TLSConfig
	files   []string                   // that it was read from
	first   *tls.Config                // that handshakes begin with; holds the keys of session tickets
	current atomic.Pointer[tls.Config] // that they go on with; replaced by Reload

	reloads  atomic.Uint64
	failures atomic.Uint64

	mu    sync.Mutex
	stamp map[string]fileStamp // of files when they were read last; guarded by mu
}

// fileStamp tells whether a file has changed.
type fileStamp struct {
	size     int64
	modified time.Time
}

// NewTLS reads the certificates. An error names every mistake.
func NewTLS(cfg TLSConfig) (*TLS, error) {
	t := &TLS{cfg: cfg}
	for _, s := range append([]keystore.Source{cfg.Source}, cfg.Certificates...) {
		t.files = append(t.files, s.Files()...)
	}
	t.files = append(t.files, cfg.ClientCA...)
	t.stamp = stampsOf(t.files)
	config, err := cfg.load()
	if err = errors.Join(cfg.validate(), err); err != nil {
		return nil, fmt.Errorf("server: tls: %w", err)
	}
	t.use(config)
	return t, nil
}

// TLSWith is TLS with a configuration made by the program itself. Its
// GetConfigForClient must be nil; NextProtos is left to it.
func TLSWith(config *tls.Config) *TLS {
	t := &TLS{}
	t.use(config)
	return t
}

func (t *TLS) use(config *tls.Config) {
	t.current.Store(config)
	t.first = &tls.Config{ //nolint:gosec // versions and certificates are those of the configuration that it leads to
		SessionTicketsDisabled: config.SessionTicketsDisabled,
		GetConfigForClient:     func(*tls.ClientHelloInfo) (*tls.Config, error) { return t.current.Load(), nil },
	}
}

// load reads the files.
func (c *TLSConfig) load() (*tls.Config, error) {
	out := &tls.Config{ //nolint:gosec // 1.2 at least
		MinVersion:             tlsVersions[c.MinVersion],
		ClientAuth:             clientAuths[c.ClientAuth],
		SessionTicketsDisabled: !c.Tickets,
	}
	var errs []error
	for i, source := range append([]keystore.Source{c.Source}, c.Certificates...) {
		certificate, err := source.Load()
		if err != nil {
			if i > 0 {
				err = fmt.Errorf("certificates[%d]: %w", i-1, err)
			}
			errs = append(errs, err)
			continue
		}
		out.Certificates = append(out.Certificates, certificate)
	}
	if len(c.ClientCA) > 0 {
		out.ClientCAs = x509.NewCertPool()
	}
	for _, name := range c.ClientCA {
		data, err := os.ReadFile(name) //nolint:gosec // whoever configures the server named it
		if err != nil {
			errs = append(errs, fmt.Errorf("clientCa: %w", err))
			continue
		}
		authorities, err := keystore.Certificates(data)
		if err != nil {
			errs = append(errs, fmt.Errorf("clientCa: %s: %w", name, err))
		}
		for _, a := range authorities {
			out.ClientCAs.AddCert(a)
		}
	}
	return out, errors.Join(errs...)
}

// Reload reads the files again. Connections that exist keep what they have; when
// something is wrong with the files, so does everything else.
func (t *TLS) Reload() error {
	if t.files == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stamp = stampsOf(t.files) // before they are read: a later change is seen
	return t.read()
}

// read is called with mu held.
func (t *TLS) read() error {
	config, err := t.cfg.load()
	if err != nil {
		t.failures.Add(1)
		return fmt.Errorf("server: tls: reload: %w", err)
	}
	t.current.Store(config)
	t.reloads.Add(1)
	return nil
}

// reloadChanged reads the files again if they have changed.
func (t *TLS) reloadChanged() (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stamp := stampsOf(t.files)
	if sameStamps(stamp, t.stamp) {
		return false, nil
	}
	t.stamp = stamp
	return true, t.read()
}

// stampsOf is what tells whether files change. A file that cannot be looked at has
// the zero stamp.
func stampsOf(files []string) map[string]fileStamp {
	stamps := make(map[string]fileStamp, len(files))
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			stamps[name] = fileStamp{info.Size(), info.ModTime()}
		}
	}
	return stamps
}

func sameStamps(a, b map[string]fileStamp) bool {
	if len(a) != len(b) {
		return false
	}
	for name, s := range a {
		if other, ok := b[name]; !ok || other.size != s.size || !other.modified.Equal(s.modified) {
			return false
		}
	}
	return true
}

// watchTLS begins to look after the certificates of all listeners, until Close.
func (s *Server) watchTLS() {
	seen := map[*TLS]bool{}
	for _, l := range s.listeners {
		if t := l.TLS; t != nil && !seen[t] {
			seen[t] = true
			t.warn(s.log)
			s.handshakes.running.Go(func() { t.watch(s.closing, s.log) })
		}
	}
}

// watch reloads what has changed, until done is closed.
func (t *TLS) watch(done <-chan struct{}, log *zap.Logger) {
	if t.cfg.Reload <= 0 || len(t.files) == 0 {
		return
	}
	tick := time.NewTicker(t.cfg.Reload)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		switch changed, err := t.reloadChanged(); {
		case err != nil:
			log.Error("certificates have changed and cannot be used: the old ones stay", zap.NamedError("err", err))
		case changed:
			log.Info("certificates have changed and are used from now on", zap.Strings("path", t.files))
			t.warn(log)
		}
	}
}

// warn says which certificates are of no use to devices, or soon will be.
func (t *TLS) warn(log *zap.Logger) {
	now := time.Now()
	for _, c := range t.current.Load().Certificates {
		leaf := c.Leaf
		switch {
		case leaf == nil:
		case now.After(leaf.NotAfter):
			log.Warn("certificate has expired, devices will refuse it: renew that of " + leaf.Subject.String() + ", which was valid until " + leaf.NotAfter.Format(time.RFC3339))
		case now.Before(leaf.NotBefore):
			log.Warn("certificate is not valid yet, devices will refuse it: that of " + leaf.Subject.String() + " is valid from " + leaf.NotBefore.Format(time.RFC3339))
		}
	}
}

// expires is when the first of the certificates does, in seconds since 1970; 0
// when that is not known.
func (t *TLS) expires() float64 {
	first := 0.0
	for _, c := range t.current.Load().Certificates {
		if c.Leaf == nil {
			continue
		}
		if at := float64(c.Leaf.NotAfter.Unix()); first == 0 || at < first {
			first = at
		}
	}
	return first
}
