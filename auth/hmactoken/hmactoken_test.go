package hmactoken_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/hmactoken"
)

const (
	secret1 = "0123456789abcdef0123456789abcdef"
	secret2 = "fedcba9876543210fedcba9876543210"
	expiry  = 1_800_000_000
)

var key1, key2 = hmactoken.Key{ID: "k1", Secret: secret1}, hmactoken.Key{ID: "k2", Secret: secret2}

func provider(tb testing.TB, now time.Time, keys ...hmactoken.Key) *hmactoken.Provider {
	tb.Helper()
	p, err := hmactoken.New(hmactoken.Config{Keys: keys, Skew: time.Minute}, hmactoken.WithClock(func() time.Time { return now }))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// Tokens that another program has made by the documentation.
var known = map[string]string{
	"13800138001": "v1.k1.1800000000.2snbE5OQSN2t4L6698ALyIZV7oH9429ME-jcra1rQP8",
	"设备 7":        "v1.k1.1800000000.3y4OW2K3f6mtmyYvw_P_x4wG_fgf28ygLefRiTzB0ik",
}

func TestKnownTokens(t *testing.T) {
	t.Parallel()
	p := provider(t, time.Unix(expiry-1, 0), key1)
	for identity, want := range known {
		if err := p.Authenticate(t.Context(), identity, []string{want}); err != nil {
			t.Errorf("%s: %v", identity, err)
		}
		if got, err := key1.Sign(identity, time.Unix(expiry, 0)); err != nil || got != want {
			t.Errorf("%s: signed %s, %v", identity, got, err)
		}
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	good := known["13800138001"]
	mac := good[strings.LastIndexByte(good, '.')+1:]
	p := provider(t, time.Unix(expiry-1, 0), key1)
	for name, c := range map[string]struct {
		credentials []string
		want        error
	}{
		"none":                     {nil, auth.ErrBadCredentials},
		"empty":                    {[]string{""}, hmactoken.ErrMalformed},
		"another version":          {[]string{"v2" + good[2:]}, hmactoken.ErrMalformed},
		"no signature":             {[]string{"v1.k1.1800000000"}, hmactoken.ErrMalformed},
		"signature cut":            {[]string{good[:len(good)-1]}, hmactoken.ErrMalformed},
		"signature padded":         {[]string{good + "="}, hmactoken.ErrMalformed},
		"line break in it":         {[]string{good[:30] + "\n" + good[31:]}, hmactoken.ErrMalformed},
		"another spelling":         {[]string{good[:len(good)-1] + "9"}, hmactoken.ErrMalformed},
		"a part too many":          {[]string{good + ".x"}, hmactoken.ErrMalformed},
		"very long":                {[]string{good + strings.Repeat("A", 1<<16)}, hmactoken.ErrMalformed},
		"signature longer":         {[]string{"v1.k1.1800000000." + strings.Repeat("A", 60)}, hmactoken.ErrMalformed},
		"leading zero":             {[]string{"v1.k1.01800000000." + mac}, hmactoken.ErrMalformed},
		"leading plus":             {[]string{"v1.k1.+1800000000." + mac}, hmactoken.ErrMalformed},
		"never":                    {[]string{"v1.k1.0." + mac}, hmactoken.ErrMalformed},
		"beyond counting":          {[]string{"v1.k1.9223372036854775808." + mac}, hmactoken.ErrMalformed},
		"another key":              {[]string{"v1.k2.1800000000." + mac}, hmactoken.ErrUnknownKey},
		"no key":                   {[]string{"v1..1800000000." + mac}, hmactoken.ErrUnknownKey},
		"expiry changed":           {[]string{"v1.k1.1900000000." + mac}, hmactoken.ErrBadSignature},
		"of another device":        {[]string{known["设备 7"]}, hmactoken.ErrBadSignature},
		"at another place":         {[]string{"x", good}, hmactoken.ErrMalformed},
		"one bit of the signature": {[]string{strings.Replace(good, ".2snb", ".3snb", 1)}, hmactoken.ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := p.Authenticate(t.Context(), "13800138001", c.credentials)
			if !errors.Is(err, c.want) || !errors.Is(err, auth.ErrBadCredentials) || !errors.Is(err, auth.ErrDenied) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), mac) {
				t.Errorf("%v shows the credential", err)
			}
		})
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	for after, good := range map[time.Duration]bool{
		-time.Hour: true, 0: true, 59 * time.Second: true, 60 * time.Second: false, time.Hour: false,
	} { // a minute of skew
		err := provider(t, time.Unix(expiry, 0).Add(after), key1).Authenticate(t.Context(), "13800138001", []string{known["13800138001"]})
		if good != (err == nil) || !good && !errors.Is(err, hmactoken.ErrExpired) {
			t.Errorf("%s after its expiry: %v", after, err)
		}
	}
}

func TestKeysAreChanged(t *testing.T) {
	t.Parallel()
	now := time.Unix(expiry-1, 0)
	sign := func(k hmactoken.Key) string {
		text, err := k.Sign("a", time.Unix(expiry, 0))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	before, after := sign(key1), sign(key2)
	for name, c := range map[string]struct {
		keys          []hmactoken.Key
		before, after bool
	}{
		"before":    {[]hmactoken.Key{key1}, true, false},
		"meanwhile": {[]hmactoken.Key{key2, key1}, true, true},
		"afterward": {[]hmactoken.Key{key2}, false, true},
	} {
		p := provider(t, now, c.keys...)
		if err := p.Authenticate(t.Context(), "a", []string{before}); c.before != (err == nil) {
			t.Errorf("%s, the old one: %v", name, err)
		}
		if err := p.Authenticate(t.Context(), "a", []string{after}); c.after != (err == nil) {
			t.Errorf("%s, the new one: %v", name, err)
		}
	}
	// The key's name is signed too: the same secret under another name is another key.
	renamed := provider(t, now, hmactoken.Key{ID: "k2", Secret: secret1})
	if err := renamed.Authenticate(t.Context(), "a", []string{strings.Replace(before, "k1", "k2", 1)}); !errors.Is(err, hmactoken.ErrBadSignature) {
		t.Errorf("renamed: %v", err)
	}
}

func TestWhichCredential(t *testing.T) {
	t.Parallel()
	p, err := hmactoken.New(hmactoken.Config{Keys: []hmactoken.Key{key1}, Credential: 1}, hmactoken.WithClock(func() time.Time { return time.Unix(expiry-1, 0) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Authenticate(t.Context(), "13800138001", []string{"x", known["13800138001"]}); err != nil {
		t.Error(err)
	}
	if err := p.Authenticate(t.Context(), "13800138001", []string{known["13800138001"]}); !errors.Is(err, auth.ErrBadCredentials) {
		t.Error(err)
	}
	if got, want := p.Stats(), (auth.Stats{Checks: 2, Denied: 1}); got != want {
		t.Errorf("counted %+v", got)
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := hmactoken.New(hmactoken.Config{
		Keys: []hmactoken.Key{{ID: "a.b", Secret: "short"}, {ID: "", Secret: secret1}, key1, key1}, Skew: -1, Credential: -1,
	})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{`keys.0: id is "a.b"`, "secret has 5 bytes", `keys.1: id is ""`, "keys.3: id", "skew is", "credential is -1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Errorf("shows a secret: %v", err)
	}
	if _, err := hmactoken.New(hmactoken.DefaultConfig()); err == nil || !strings.Contains(err.Error(), "keys: there are 0") {
		t.Errorf("no keys: %v", err)
	}
}

func TestWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key      hmactoken.Key
		identity string
		expiry   time.Time
	}{
		"no identity": {key1, "", time.Unix(expiry, 0)},
		"no time":     {key1, "a", time.Time{}},
		"short key":   {hmactoken.Key{ID: "k", Secret: "x"}, "a", time.Unix(expiry, 0)},
	} {
		if text, err := c.key.Sign(c.identity, c.expiry); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// What is not a token that was signed is never good, and every token that was
// signed is good for its device only.
func FuzzAuthenticate(f *testing.F) {
	for identity, text := range known {
		f.Add(identity, text)
	}
	f.Add("a\n1", "v1.k1.1.AAAA")
	f.Add("", "v1...")
	f.Fuzz(func(t *testing.T, identity, text string) {
		p := provider(t, time.Unix(expiry-1, 0), key1)
		if err := p.Authenticate(t.Context(), identity, []string{text}); err == nil {
			seconds, ok := strings.CutPrefix(text, "v1.k1.")
			seconds, _, ok2 := strings.Cut(seconds, ".")
			var unix int64
			if _, e := fmt.Sscan(seconds, &unix); !ok || !ok2 || e != nil {
				t.Fatalf("%q is good", text)
			}
			if want, e := key1.Sign(identity, time.Unix(unix, 0)); identity != "" && (e != nil || want != text) {
				t.Fatalf("%q is good for %q, whose token is %q", text, identity, want)
			}
		} else if !errors.Is(err, auth.ErrBadCredentials) {
			t.Fatalf("not denied: %v", err)
		}
		if identity == "" {
			return
		}
		mine, err := key1.Sign(identity, time.Unix(expiry, 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Authenticate(t.Context(), identity, []string{mine}); err != nil {
			t.Fatalf("%q: %v", identity, err)
		}
		if err := p.Authenticate(t.Context(), identity+"x", []string{mine}); err == nil {
			t.Fatal("good for another device")
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	p := provider(b, time.Unix(expiry-1, 0), key1)
	ctx, credentials := b.Context(), []string{known["13800138001"]}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Authenticate(ctx, "13800138001", credentials); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleKey_Sign() {
	key := hmactoken.Key{ID: "k1", Secret: "0123456789abcdef0123456789abcdef"}
	text, err := key.Sign("13800138001", time.Unix(1_800_000_000, 0))
	fmt.Println(text, err)
	// Output: v1.k1.1800000000.2snbE5OQSN2t4L6698ALyIZV7oH9429ME-jcra1rQP8 <nil>
}
