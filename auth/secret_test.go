package auth_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/linkspan/linkspan/auth"
)

const secret = "hunter2-and-more"

// holders are the ways in which a secret is held when somebody prints it.
func holders() map[string]any {
	s := auth.Secret(secret)
	id := auth.Identity{ProductKey: "pk", DeviceName: "dn", DeviceSecret: s}
	return map[string]any{
		"secret":                  s,
		"pointer to secret":       &s,
		"secrets":                 []auth.Secret{s},
		"array of secrets":        [1]auth.Secret{s},
		"map of secrets":          map[string]auth.Secret{"a": s},
		"map by secret":           map[auth.Secret]int{s: 1},
		"identity":                id,
		"pointer to identity":     &id,
		"identities":              []auth.Identity{id},
		"map by identity":         map[auth.Identity]int{id: 1},
		"struct of identity":      struct{ Identity auth.Identity }{id},
		"struct of pointer":       struct{ Identity *auth.Identity }{&id},
		"error of secret":         fmt.Errorf("secret %v of %v", s, id),
		"joined error of secrets": errors.Join(fmt.Errorf("%q", s), fmt.Errorf("%x", id)),
	}
}

// leaks says whether text holds the secret, as it is or in hex.
func leaks(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) ||
		strings.Contains(text, fmt.Sprintf("% x", "hunter2")) ||
		strings.Contains(text, strings.Join(strings.Split(fmt.Sprintf("% x", "hunter2"), " "), " 0x")) ||
		strings.Contains(text, "104 117 110 116") // decimal bytes
}

func TestSecretsAreNeverFormatted(t *testing.T) {
	t.Parallel()
	for name, v := range holders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for verb := range strings.FieldsSeq("%v %+v %#v %s %q %+q %#q %x %X %#x %d %o %b %c %U %T %t %e %20v %-20s %.7s %!") {
				if got := fmt.Sprintf(verb, v); leaks(got) {
					t.Errorf("%s shows %s", verb, got)
				}
			}
			for verb, got := range map[string]string{"% x": fmt.Sprintf("% x", v), "% #x": fmt.Sprintf("% #x", v), "Sprint": fmt.Sprint(v)} {
				if leaks(got) {
					t.Errorf("%s shows %s", verb, got)
				}
			}
		})
	}
}

func TestSecretsAreNeverEncoded(t *testing.T) {
	t.Parallel()
	for name, v := range holders() {
		if name == "map by secret" {
			continue // JSON does not ask keys
		}
		if text, err := json.Marshal(v); err == nil && leaks(string(text)) {
			t.Errorf("JSON of %s shows %s", name, text)
		}
		if text, err := xml.Marshal(v); err == nil && leaks(string(text)) {
			t.Errorf("XML of %s shows %s", name, text)
		}
	}
}

func TestSecretsAreNeverLogged(t *testing.T) {
	t.Parallel()
	all := holders()
	delete(all, "map by secret") // JSON does not ask keys
	for _, encoding := range []string{"json", "console"} {
		for name, v := range all {
			var out strings.Builder
			encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
			if encoding == "console" {
				encoder = zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
			}
			log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&out), zap.DebugLevel))
			log.Info("any", zap.Any("v", v), zap.Reflect("r", v))
			log.Sugar().Infow("sugar", "v", v)
			log.Sugar().Infof("%v %+v %#v", v, v, v)
			if s, ok := v.(fmt.Stringer); ok {
				log.Info("stringer", zap.Stringer("v", s))
			}
			if strings.Count(out.String(), "\n") < 3 {
				t.Errorf("%s: the log is %q", name, out.String())
			}
			if leaks(out.String()) {
				t.Errorf("zap's %s of %s shows %s", encoding, name, out.String())
			}
		}
	}
	for name, v := range all {
		var out strings.Builder
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
		if leaks(out.String()) {
			t.Errorf("slog of %s shows %s", name, out.String())
		}
	}
}

// The checks above are worth something: they see what is not masked.
func TestLeaksAreSeen(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"%v", "%q", "%x", "%X", "% x", "% #x", "%#x"} {
		if got := fmt.Sprintf(verb, secret); !leaks(got) {
			t.Errorf("%s of the bare text is not seen to leak: %s", verb, got)
		}
	}
	if !leaks(fmt.Sprintf("%d", []byte(secret))) {
		t.Error("decimal bytes are not seen to leak")
	}
}

func TestSecretIsShownAsMask(t *testing.T) {
	t.Parallel()
	s := auth.Secret(secret)
	id := auth.Identity{ProductKey: "pk", DeviceName: "dn", DeviceSecret: s}
	text, err := json.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct{ got, want string }{
		"secret":          {s.String(), "******"},
		"%v of a secret":  {fmt.Sprint(s), "******"},
		"%s of a secret":  {fmt.Sprintf("%s", s), "******"},
		"empty secret":    {auth.Secret("").String(), ""},
		"revealed":        {s.Reveal(), secret},
		"%v of identity":  {fmt.Sprint(id), "pk/dn"},
		"identity":        {id.String(), "pk/dn"},
		"JSON":            {string(text), `{"ProductKey":"pk","DeviceName":"dn","DeviceSecret":"******"}`},
		"empty in %v":     {fmt.Sprint([]auth.Secret{""}), "[]"},
		"other secret":    {auth.Secret("x").String(), s.String()},
		"%d is not bytes": {fmt.Sprintf("%d", []byte("x")), "[120]"},
	} {
		if test.got != test.want {
			t.Errorf("%s: got %s, want %s", what, test.got, test.want)
		}
	}
}

// Configuration files hold secrets as they are.
func TestSecretIsReadAsItIs(t *testing.T) {
	t.Parallel()
	var id auth.Identity
	if err := json.Unmarshal([]byte(`{"ProductKey":"pk","DeviceName":"dn","DeviceSecret":"hunter2"}`), &id); err != nil {
		t.Fatal(err)
	}
	if id.DeviceSecret.Reveal() != "hunter2" {
		t.Errorf("the secret is %q", id.DeviceSecret.Reveal())
	}
}
