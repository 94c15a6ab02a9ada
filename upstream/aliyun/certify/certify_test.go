package certify_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
)

// server answers every request with body, and says what it was asked.
func server(t *testing.T, body string) (c *certify.Client, asked chan url.Values) {
	t.Helper()
	asked = make(chan url.Values, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		r.Form.Set("path", r.URL.Path)
		asked <- r.Form
		_, _ = w.Write([]byte(body)) // the client may have read enough
	}))
	t.Cleanup(s.Close)
	c, err := certify.New(certify.Config{Endpoint: s.URL, SignMethod: auth.HMACMD5, Timeout: 5 * time.Second},
		certify.WithClock(func() time.Time { return time.UnixMilli(789) }))
	if err != nil {
		t.Fatal(err)
	}
	return c, asked
}

// The answer is that of the guide, whose sample writes Resources. The signature
// is that of the guide's sample of a CONNECT, which covers the same.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	c, asked := server(t, `{"code":200,"data":{"iotId":"42Ze0mk3556498a1A1TP","iotToken":"0d7fdeb9dc1f4344a2cc0d45edcb0bcb","Resources":{"mqtt":{"host":"h","port":1883}}},"message":"success"}`)
	token, err := c.Authenticate(t.Context(), auth.Identity{ProductKey: "pk", DeviceName: "device", DeviceSecret: "secret"}, "12345", "mqtt")
	if err != nil {
		t.Fatal(err)
	}
	if token.IotID != "42Ze0mk3556498a1A1TP" || token.IotToken.Reveal() != "0d7fdeb9dc1f4344a2cc0d45edcb0bcb" || token.Resources["mqtt"].Address() != "h:1883" {
		t.Errorf("got %+v", token)
	}
	form := <-asked
	for name, want := range map[string]string{
		"path": "/auth/devicename", "productKey": "pk", "deviceName": "device", "clientId": "12345", "timestamp": "789", "resources": "mqtt",
		"signmethod": "hmacmd5", "sign": strings.ToLower("14B198324FE55E1D3C88F2E705E201EE"),
	} {
		if got := form.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	c, asked := server(t, `{"code":200,"data":{"productKey":"1234556554","deviceName":"deviceName1234","deviceSecret":"adsfwefdsf"},"message":"success"}`)
	product := certify.Product{Key: "1234556554", Secret: "secret"}
	secret, err := c.Register(t.Context(), product, "deviceName1234")
	if err != nil || secret.Reveal() != "adsfwefdsf" {
		t.Fatalf("got %v", err)
	}
	form := <-asked
	want := auth.Sign(auth.HMACMD5, "secret", auth.Param{Name: "deviceName", Value: "deviceName1234"},
		auth.Param{Name: "productKey", Value: "1234556554"}, auth.Param{Name: "random", Value: form.Get("random")})
	if form.Get("sign") != want || form.Get("signMethod") != "hmacmd5" || form.Get("path") != "/auth/register/device" || len(form.Get("random")) < 10 {
		t.Errorf("asked with %v", form)
	}
	if _, err = c.Register(t.Context(), product, "deviceName1234"); err != nil {
		t.Fatal(err)
	}
	if again := <-asked; again.Get("random") == form.Get("random") {
		t.Error("the same random twice")
	}
}

// Where devices authenticate may be anywhere, code and port may be texts.
func TestAuthURL(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		_, _ = w.Write([]byte(`{"code":"200","data":{"iotId":"id","iotToken":"token","resources":{"mqtt":{"host":"h","port":"1883"}}}}`))
	}))
	t.Cleanup(s.Close)
	c, err := certify.New(certify.Config{Endpoint: "https://elsewhere", AuthURL: s.URL + "/proxy/auth?to=aliyun"})
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.Authenticate(t.Context(), auth.Identity{ProductKey: "pk", DeviceName: "device", DeviceSecret: "secret"}, "12345", "mqtt")
	if err != nil || token.Resources["mqtt"].Address() != "h:1883" {
		t.Errorf("got %+v, %v", token, err)
	}
	if got := <-asked; got != "/proxy/auth?to=aliyun" {
		t.Errorf("asked at %s", got)
	}
	if _, err = certify.New(certify.Config{Endpoint: "https://h", AuthURL: "http://elsewhere/auth"}); !errors.Is(err, certify.ErrEndpoint) {
		t.Errorf("in the clear: %v", err)
	}
}

// The signature's content is that of the guide's sample; its HMACs were computed
// by other means.
func TestSignature(t *testing.T) {
	t.Parallel()
	for method, want := range map[auth.SignMethod]string{
		auth.HMACMD5:    "aabadce3c1b83b134b2a22526cd11aca",
		auth.HMACSHA1:   "db5fd72274ac137ee5ae788c88fb2897249569e4",
		auth.HMACSHA256: "3225d2ae160111ceee3656cb3558ef3504ae096611fd8159570db9cc1f49c148",
	} {
		got := auth.Sign(method, "secret", auth.Param{Name: "random", Value: "123"}, auth.Param{Name: "productKey", Value: "1234556554"}, auth.Param{Name: "deviceName", Value: "deviceName1234"})
		if got != want {
			t.Errorf("%s: got %s, want %s", method, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		temporary  bool
		code       int
		says       string
	}{
		{"wrong signature", `{"code":401,"message":"request auth error"}`, false, 401, "check the device's secret"},
		{"wrong parameter", `{"code":460,"message":"param error"}`, false, 460, "a parameter is wrong"},
		{"failure", `{"code":500,"message":"unknown error"}`, true, 500, "the platform failed"},
		{"no device", `{"code":5001,"message":"meta device not found"}`, false, 5001, "no such device"},
		{"another type", `{"code":6200,"message":"auth type mismatch"}`, false, 6200, "do not prove themselves"},
		{"another code", `{"code":9999,"message":"what"}`, false, 9999, `"what"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client, _ := server(t, c.body)
			_, err := client.Authenticate(t.Context(), auth.Identity{ProductKey: "pk", DeviceName: "dn", DeviceSecret: "s3cret"}, "id")
			var refused *upstream.RefusedError
			if !errors.As(err, &refused) || refused.Code != c.code || refused.Temporary != c.temporary || errors.Is(err, auth.ErrDenied) == c.temporary {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no JSON": "<html>", "no code": `{}`, "no data": `{"code":200}`, "empty data": `{"code":200,"data":{}}`,
		"another data": `{"code":200,"data":[1]}`, "too long": `{"code":200,"data":{"deviceSecret":"` + strings.Repeat("x", 1<<20) + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := server(t, body)
			if _, err := c.Register(t.Context(), certify.Product{Key: "pk", Secret: "s"}, "dn"); !errors.Is(err, certify.ErrAnswer) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNewTellsAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := certify.New(certify.Config{Endpoint: "http://example.com", SignMethod: "md5", Timeout: -1})
	for _, want := range []string{"in the clear", "md5", "timeout"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	for _, bad := range []string{"", "example.com", "ftp://example.com", "https://", "https://user:pw@example.com"} {
		if _, err := certify.ParseEndpoint(bad); !errors.Is(err, certify.ErrEndpoint) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"https://iot-auth.cn-shanghai.aliyuncs.com/auth/bridge", "http://127.0.0.1:1885", "http://localhost", "http://[::1]:1"} {
		if u, err := certify.ParseEndpoint(good); err != nil || u.Path != "" {
			t.Errorf("%q: %v, %v", good, u, err)
		}
	}
}

func id(n string, secret auth.Secret) auth.Identity {
	return auth.Identity{ProductKey: "pk", DeviceName: n, DeviceSecret: secret}
}

func open(t *testing.T, path string) *certify.Store {
	t.Helper()
	s, err := certify.OpenStore(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func wantSecret(t *testing.T, s *certify.Store, name string, want auth.Secret) {
	t.Helper()
	if got, ok := s.Get("pk", name); got.Reveal() != want.Reveal() || ok != (want != "") {
		t.Errorf("%s: got %q, %t, want %q", name, got.Reveal(), ok, want.Reveal())
	}
}

// What was put is there when the file is opened again, the last secret of each
// device; a line that a crash has cut short is not, and does not stay.
func TestStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets")
	s := open(t, path)
	if err := s.Put(id("a", "1"), id("b", "2")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(id("a", "3\n\"\u8f66")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(id("c", "4")); !errors.Is(err, certify.ErrStore) {
		t.Errorf("Put after Close: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) { // as a crash may leave it, anywhere
		damaged := filepath.Join(t.TempDir(), "secrets")
		if err := os.WriteFile(damaged, text[:len(text)-cut], 0o644); err != nil {
			t.Fatal(err)
		}
		s := open(t, damaged)
		lines := strings.Count(string(text[:len(text)-cut]), "\n")
		if cut == 1 {
			lines = 3 // only the line's end is missing
		}
		want := map[int]auth.Secret{2: "1", 3: "3\n\"\u8f66"}[lines]
		if lines >= 2 {
			wantSecret(t, s, "a", want)
			wantSecret(t, s, "b", "2")
		}
		if err := s.Put(id("c", "4")); err != nil {
			t.Fatal(err)
		}
		s = open(t, damaged)
		wantSecret(t, s, "c", "4")
		if lines >= 2 {
			wantSecret(t, s, "b", "2")
		}
		if info, err := os.Stat(damaged); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v: want a file for its owner alone", info, err)
		}
	}
}

func TestStoreMistakes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(path, []byte("{\"productKey\":\"pk\",\"deviceName\":\"a\",\"deviceSecret\":\"1\"}\nwhat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := certify.OpenStore(path); !errors.Is(err, certify.ErrStore) || !strings.Contains(err.Error(), ":2") {
		t.Errorf("a line that is none: %v", err)
	}
	if _, err := certify.OpenStore(filepath.Join(path, "below")); !errors.Is(err, certify.ErrStore) {
		t.Errorf("a file as a directory: %v", err)
	}
	s := open(t, filepath.Join(t.TempDir(), "secrets"))
	for _, bad := range []auth.Identity{{}, id("", "1"), id("a", ""), id("a", auth.Secret(strings.Repeat("x", 5000)))} {
		if err := s.Put(id("good", "1"), bad); !errors.Is(err, certify.ErrStore) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if s.Len() != 0 {
		t.Error("half of a Put was taken")
	}
}

func TestStoreFromManyGoroutines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets")
	s := open(t, path)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := string(rune('a' + i))
			if err := s.Put(id(name, "1"), id(name+name, "2")); err != nil {
				t.Error(err)
			}
			wantSecret(t, s, name, "1")
		})
	}
	all.Wait()
	if n := open(t, path).Len(); n != 16 {
		t.Errorf("%d secrets in the file, want 16", n)
	}
}

func TestRegistrar(t *testing.T) {
	t.Parallel()
	calls := 0
	service := func(_ context.Context, p certify.Product, name string) (auth.Secret, error) {
		calls++
		if name == "refused" {
			return "", certify.Refused(p.Key, name, 6288, "dynamic register is disabled")
		}
		return auth.Secret(name + strings.Repeat("!", calls)), nil
	}
	r, err := certify.NewRegistrar(open(t, filepath.Join(t.TempDir(), "secrets")), service, certify.Product{Key: "pk", Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if secret, err := r.Secret(t.Context(), "pk", "a"); err != nil || secret != "a!" {
			t.Errorf("got %q, %v", secret.Reveal(), err)
		}
	}
	if secret, err := r.Renew(t.Context(), "pk", "a"); err != nil || secret != "a!!" {
		t.Errorf("anew: got %q, %v", secret.Reveal(), err)
	}
	if secret, known := r.Known("pk", "a"); !known || secret != "a!!" {
		t.Errorf("kept: %q", secret.Reveal())
	}
	if _, err := r.Secret(t.Context(), "pk", "refused"); err == nil || !strings.Contains(err.Error(), "switched on for product pk") {
		t.Errorf("refused: %v", err)
	}
	if _, err := r.Secret(t.Context(), "other", "a"); !errors.Is(err, certify.ErrNoProductSecret) || !errors.Is(err, auth.ErrDenied) {
		t.Errorf("another product: %v", err)
	}
	if !r.Has("pk") || r.Has("other") || r.Len() != 1 {
		t.Errorf("Has and Len are wrong: %d", r.Len())
	}
	if _, err := certify.NewRegistrar(nil, service, certify.Product{Key: "a"}, certify.Product{Key: "b", Secret: "s"}, certify.Product{Key: "b", Secret: "s"}); err == nil {
		t.Error("mistakes in products were taken")
	}
}
