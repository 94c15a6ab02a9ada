package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigHocon(t *testing.T) { //nolint:paralleltest // sets a variable
	t.Setenv("CLI_HOCON_TEST", "from env")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.conf":       "include \"more\"\nb = ${a}[2]\nz = 1e5, deviceSecret = geheim\nenv = ${?CLI_HOCON_TEST}\nn = 007",
		"more.json":    `{"a": [1], "deep": {"x": null}}`,
		"p.properties": "b.c=1\na=\\u00e9",
		"j.json":       `{"a": 1, "a": 2}`,
		"wrong.conf":   "a = 1\n  b = ${c}\n",
		"broken.conf":  "a = [1",
		"list.conf":    "[1, 2]",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		args []string
		want string // output, or what an error has
		bad  bool
	}{
		{"HOCON", []string{"a.conf"}, `{"a":[1],"deep":{"x":null},"b":[1,2],"z":1e5,"deviceSecret":"geheim","env":"fromenv","n":7}`, false},
		{"without the environment", []string{"a.conf", "--env=false"}, `{"a":[1],"deep":{"x":null},"b":[1,2],"z":1e5,"deviceSecret":"geheim","n":7}`, false},
		{"properties", []string{"p.properties"}, `{"b":{"c":"1"},"a":"é"}`, false},
		{"a key twice in JSON", []string{"j.json"}, "j.json:1:10: the key a stands here and at line 1", true},
		{"no value", []string{"wrong.conf"}, "wrong.conf:2:7: b: ${c} has no value", true},
		{"not closed", []string{"broken.conf"}, "broken.conf:1:7: a: the array", true},
		{"a list", []string{"list.conf"}, "list.conf:1:1: the file begins with an array", true},
		{"no file", []string{"nothing.conf"}, "no such file", true},
	} {
		test.args[0] = filepath.Join(dir, test.args[0])
		out, err := run(t, "", append([]string{"config", "hocon"}, test.args...)...)
		if test.bad {
			if err == nil || !strings.Contains(err.Error(), test.want) || out != "" {
				t.Errorf("%s: error %v, output %s", test.name, err, out)
			}
			continue
		}
		if got := strings.Join(strings.Fields(out), ""); err != nil || got != test.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", test.name, err, got, test.want)
		}
	}
}
