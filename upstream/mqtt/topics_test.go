package mqtt

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	v := values{productKey: "pk", deviceName: "dn", name: "alarm"}
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"plain", "plain"},
		{"${productKey}", "pk"},
		{"a/${productKey}-${deviceName}/${name}", "a/pk-dn/alarm"},
		{"${deviceName}${deviceName}", "dndn"},
		{"$${productKey}", "${productKey}"},
		{"a$${b", "a${b"},
		{"$a$", "$a$"},
	} {
		got, err := parseTemplate(c.text, productKey, deviceName, name)
		if err != nil || got.with(&v) != c.want {
			t.Errorf("%q: %q, %v; want %q", c.text, got.with(&v), err, c.want)
		}
	}
	for _, c := range []struct{ text, says string }{
		{"${productkey}", "${productkey}"},
		{"${id}", "${productKey}"},
		{"${}", "placeholder"},
		{"${productKey", "without }"},
	} {
		if _, err := parseTemplate(c.text, productKey, deviceName); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want something about %s", c.text, err, c.says)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, all, one string
		match          []string // topic, productKey, deviceName
		differ         []string
	}{
		{
			"a/${productKey}/${deviceName}/cmd", "a/+/+/cmd", "a/p/d/cmd",
			[]string{"a/x/y/cmd", "x", "y"},
			[]string{"a/x/y", "a/x/y/cmd/z", "a//y/cmd", "b/x/y/cmd", "", "a"},
		},
		{
			"dev-${deviceName}-in", "+", "dev-d-in",
			[]string{"dev-7-in", "", "7"},
			[]string{"dev--in", "dev-7", "7-in", "dev-7-in/x"},
		},
		{
			"u/${deviceName}/#", "u/+/#", "u/d/#",
			[]string{"u/x", "", "x", "u/x/", "", "x", "u/x/a/b", "", "x"},
			[]string{"u", "u/", "v/x"},
		},
		{
			"+/${deviceName}/+", "+/+/+", "+/d/+",
			[]string{"a/b/c", "", "b", "/b/", "", "b"},
			[]string{"a/b", "a/b/c/d"},
		},
	} {
		p, err := parsePattern(c.text, true, productKey, deviceName)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if got := p.filter(nil); got != c.all {
			t.Errorf("%q subscribes %q for all, want %q", c.text, got, c.all)
		}
		if got := p.filter(&values{productKey: "p", deviceName: "d"}); got != c.one {
			t.Errorf("%q subscribes %q for one, want %q", c.text, got, c.one)
		}
		for m := c.match; len(m) > 0; m = m[3:] {
			var v values
			if !p.match(m[0], &v) || v[productKey] != m[1] || v[deviceName] != m[2] {
				t.Errorf("%q does not take %q rightly: %q %q", c.text, m[0], v[productKey], v[deviceName])
			}
		}
		for _, topic := range c.differ {
			if p.match(topic, &values{}) {
				t.Errorf("%q takes %q", c.text, topic)
			}
		}
	}
	for _, text := range []string{"a/#/b", "a+/b", "a/b#", "${deviceName}${productKey}", "${deviceName}/${deviceName}", "", "a/\x00"} {
		if p, err := parsePattern(text, true, productKey, deviceName); err == nil {
			t.Errorf("%q is taken as %v", text, p)
		}
	}
	if _, err := parsePattern("a/+/${deviceName}", false, deviceName); err == nil {
		t.Error("a wildcard is taken where there may be none")
	}
}

// A topic that a pattern makes for a device is matched by it, and its filters, and
// yields the device again.
func TestPatternsGiveBackWhatTheyMake(t *testing.T) {
	t.Parallel()
	word := rapid.StringMatching(`[a-z0-9. -]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		v := values{productKey: word.Draw(t, "product"), deviceName: word.Draw(t, "device"), commandID: word.Draw(t, "id")}
		parts := []string{word.Draw(t, "prefix") + "${productKey}", "${deviceName}", "${id}" + word.Draw(t, "suffix"), word.Draw(t, "text")}
		text := strings.Join(rapid.Permutation(parts).Draw(t, "order"), "/")
		p, err := parsePattern(text, false, productKey, deviceName, commandID)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := parseTemplate(text, productKey, deviceName, commandID)
		if err != nil {
			t.Fatal(err)
		}
		topic := whole.with(&v)
		var got values
		if !p.match(topic, &got) || got != v {
			t.Fatalf("%q makes %q, of which it reads %q", text, topic, got)
		}
		for _, filter := range []string{p.filter(nil), p.filter(&values{productKey: v[productKey], deviceName: v[deviceName]})} {
			f, err := parsePattern(filter, true)
			if err != nil || !f.match(topic, &values{}) {
				t.Fatalf("the filter %q does not get %q: %v", filter, topic, err)
			}
		}
	})
}
