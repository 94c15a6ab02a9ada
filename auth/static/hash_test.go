package static

import (
	"errors"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

// Hashes that others have made: libxcrypt, the reference implementation of
// argon2, and the published test of bcrypt.
var foreign = []struct{ name, secret, hash string }{
	{"libxcrypt", "sesame", "$2b$04$uf6sSYqGvYpNxlQrlGP7yu.92O7GkVfc44oiCbmtUQ/O6/5TTvKa6"},
	{"as htpasswd marks it", "sesame", "$2y$04$uf6sSYqGvYpNxlQrlGP7yu.92O7GkVfc44oiCbmtUQ/O6/5TTvKa6"},
	{"bcrypt's own", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
	{"argon2id, one thread", "password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
	{"argon2id, two threads", "password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
}

func TestForeignHashes(t *testing.T) {
	t.Parallel()
	for _, c := range foreign {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, err := parseHash(c.hash, DefaultConfig().Limits)
			if err != nil {
				t.Fatal(err)
			}
			if !h.matches(c.secret) {
				t.Error("does not know its secret")
			}
			for _, wrong := range []string{"", c.secret + "x", strings.ToUpper(c.secret) + "!", c.secret[1:]} {
				if h.matches(wrong) {
					t.Errorf("takes %q", wrong)
				}
			}
		})
	}
}

func TestBadHashes(t *testing.T) {
	t.Parallel()
	limits := Limits{BcryptCost: 10, ArgonMemory: 1 << 20, ArgonPasses: 3, ArgonThreads: 2}
	const salt, sum = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for name, text := range map[string]string{
		"empty":           "",
		"the secret":      "sesame",
		"MD5 of htpasswd": "$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00",
		"SHA1":            "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
		"sha512-crypt":    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJu",
		"argon2i":         "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + sum,
		"bcrypt cut":      foreign[0].hash[:59],
		"bcrypt longer":   foreign[0].hash + "x",
		"bcrypt damaged":  strings.Replace(foreign[0].hash, "uf6", "u!6", 1),
		"bcrypt too dear": strings.Replace(foreign[0].hash, "$04$", "$11$", 1),
		"bcrypt cheap":    strings.Replace(foreign[0].hash, "$04$", "$03$", 1),
		"no version":      "$argon2id$m=256,t=2,p=1$" + salt + "$" + sum,
		"old version":     "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + sum,
		"another order":   "$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + sum,
		"a number more":   "$argon2id$v=19$m=256,t=2,p=1,x=1$" + salt + "$" + sum,
		"memory too dear": "$argon2id$v=19$m=1025,t=2,p=1$" + salt + "$" + sum,
		"memory absurd":   "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + sum,
		"memory overflow": "$argon2id$v=19$m=4294967296,t=2,p=1$" + salt + "$" + sum,
		"too little":      "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + sum,
		"passes too many": "$argon2id$v=19$m=256,t=4,p=1$" + salt + "$" + sum,
		"no passes":       "$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + sum,
		"threads":         "$argon2id$v=19$m=256,t=2,p=3$" + salt + "$" + sum,
		"no threads":      "$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + sum,
		"salt short":      "$argon2id$v=19$m=256,t=2,p=1$c29t$" + sum,
		"sum short":       "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$c29t",
		"sum padded":      "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + sum + "=",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parseHash(text, limits); !errors.Is(err, ErrHash) {
				t.Errorf("%q: %v", text, err)
			}
		})
	}
}

func TestHashesOfOurOwn(t *testing.T) {
	t.Parallel()
	long := auth.Secret(strings.Repeat("长", 24)) // 72 bytes
	for name, hashed := range map[string]func(auth.Secret) (string, error){
		"bcrypt":   func(s auth.Secret) (string, error) { return HashBcrypt(s, 4) },
		"argon2id": func(s auth.Secret) (string, error) { return HashArgon2id(s, 64, 1, 2) },
	} {
		for _, secret := range []auth.Secret{"x", "sesame", long} {
			text, err := hashed(secret)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			again, err := hashed(secret)
			if err != nil || again == text {
				t.Errorf("%s has no salt: %v", name, err)
			}
			h, err := parseHash(text, DefaultConfig().Limits)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !h.matches(secret.Reveal()) || h.matches(secret.Reveal()+"x") || h.matches("") {
				t.Errorf("%s of %d bytes does not tell right from wrong", name, len(secret))
			}
		}
	}
}

func TestWhatIsNotHashed(t *testing.T) {
	t.Parallel()
	for name, hashed := range map[string]func() (string, error){
		"bcrypt, empty":     func() (string, error) { return HashBcrypt("", 4) },
		"bcrypt, long":      func() (string, error) { return HashBcrypt(auth.Secret(strings.Repeat("x", 73)), 4) },
		"bcrypt, cheap":     func() (string, error) { return HashBcrypt("x", 3) },
		"bcrypt, dear":      func() (string, error) { return HashBcrypt("x", 32) },
		"argon2id, empty":   func() (string, error) { return HashArgon2id("", 64, 1, 1) },
		"argon2id, long":    func() (string, error) { return HashArgon2id(auth.Secret(strings.Repeat("x", 1025)), 64, 1, 1) },
		"argon2id, threads": func() (string, error) { return HashArgon2id("x", 64, 1, 0) },
		"argon2id, passes":  func() (string, error) { return HashArgon2id("x", 64, 0, 1) },
		"argon2id, memory":  func() (string, error) { return HashArgon2id("x", 15, 1, 2) },
		"argon2id, huge":    func() (string, error) { return HashArgon2id("x", 1<<31, 1, 2) },
	} {
		if text, err := hashed(); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Whatever a line holds, it is a hash within the limits or an error.
func FuzzParseHash(f *testing.F) {
	for _, c := range foreign {
		f.Add(c.hash)
	}
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg")
	limits := Limits{BcryptCost: 5, ArgonMemory: 1 << 20, ArgonPasses: 3, ArgonThreads: 2}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text, limits)
		if err != nil {
			if !errors.Is(err, ErrHash) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if a, ok := h.(*argonHash); ok && (a.memory > 1024 || a.passes > 3 || a.threads > 2 || a.memory == 0 || a.passes == 0 || a.threads == 0) {
			t.Fatalf("%q is beyond the limits", text)
		}
		_ = h.matches("x") // does not panic
	})
}

func BenchmarkMatches(b *testing.B) {
	bcrypt4, err := HashBcrypt("sesame", 4)
	if err != nil {
		b.Fatal(err)
	}
	bcrypt10, err := HashBcrypt("sesame", 10)
	if err != nil {
		b.Fatal(err)
	}
	argon, err := HashArgon2id("sesame", 19456, 2, 1)
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{"bcrypt-4": bcrypt4, "bcrypt-10": bcrypt10, "argon2id-19456-2-1": argon} {
		b.Run(name, func(b *testing.B) {
			h, err := parseHash(text, DefaultConfig().Limits)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !h.matches("sesame") {
					b.Fatal("wrong")
				}
			}
		})
	}
}
