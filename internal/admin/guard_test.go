package admin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
)

func TestMetricsAreForThisMachineOrTheToken(t *testing.T) {
	t.Parallel()
	const token = auth.Secret("0123456789abcdef")
	for name, c := range map[string]struct {
		token  auth.Secret
		remote string
		header string
		want   int
	}{
		"loopback":                    {"", "127.0.0.1:9", "", http.StatusOK},
		"loopback, IPv6":              {"", "[::1]:9", "", http.StatusOK},
		"loopback in IPv6":            {"", "[::ffff:127.0.0.1]:9", "", http.StatusOK},
		"the machine's own address":   {"", "192.0.2.1:9", "", http.StatusOK},
		"another machine":             {"", "192.0.2.7:9", "", http.StatusForbidden},
		"another machine, IPv6":       {"", "[2001:db8::7]:9", "", http.StatusForbidden},
		"another machine, some token": {"", "192.0.2.7:9", "Bearer ", http.StatusForbidden},
		"nobody knows where from":     {"", "@", "", http.StatusForbidden},
		"token":                       {token, "192.0.2.7:9", "Bearer 0123456789abcdef", http.StatusOK},
		"wrong token":                 {token, "192.0.2.7:9", "Bearer 0123456789abcdeg", http.StatusUnauthorized},
		"token cut":                   {token, "192.0.2.7:9", "Bearer 0123456789abcde", http.StatusUnauthorized},
		"no token":                    {token, "192.0.2.7:9", "", http.StatusUnauthorized},
		"no token on loopback":        {token, "127.0.0.1:9", "", http.StatusUnauthorized},
		"token, other scheme":         {token, "127.0.0.1:9", "Basic 0123456789abcdef", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9180}
			ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, local)
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", http.NoBody)
			r.RemoteAddr = c.remote
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			w := httptest.NewRecorder()
			Config{Token: c.token}.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })).ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status %d, want %d", w.Code, c.want)
			}
			if strings.Contains(w.Body.String(), token.Reveal()) {
				t.Error("the answer shows the token")
			}
		})
	}
}

// Health is for those who decide where devices go, without a token.
func TestHealthNeedsNoToken(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Config{Address: "127.0.0.1:0", Token: "0123456789abcdef"}, zap.NewNop(), func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	for path, want := range map[string]int{"/metrics": http.StatusUnauthorized, "/healthz": http.StatusOK, "/readyz": http.StatusOK} {
		if code, _ := get(t, s, path); code != want {
			t.Errorf("%s: status %d, want %d", path, code, want)
		}
	}
}

func TestTokenMistakes(t *testing.T) {
	t.Parallel()
	for token, ok := range map[auth.Secret]bool{"": true, "0123456789abcdef": true, "0123456789abcde": false, "0123456789 abcdef": false, "0123456789äbcdef": false} {
		err := Config{Address: ":9180", Token: token}.Validate()
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), token.Reveal()) {
			t.Errorf("%d characters: %v", len(token.Reveal()), err)
		}
	}
	if err := (Config{Address: "here", Token: "short"}).Validate(); err == nil || !strings.Contains(err.Error(), "address") || !strings.Contains(err.Error(), "token") {
		t.Errorf("both mistakes at once: %v", err)
	}
}
