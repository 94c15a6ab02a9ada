package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// run runs a command line with stdin and returns what it printed.
func run(t *testing.T, stdin string, args ...string) (stdout string, err error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

// objects reads one JSON object from each line.
func objects(t *testing.T, lines string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, o)
	}
	return all
}

const (
	heartbeat   = "7e000200001234567890120001897e"
	response    = "7e800100051234567890120001007b01c803be7e"
	badChecksum = "7e000200001234567890120001887e"
)

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "decode", "jt808", "--json", response)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ok":true,"protocol":"jt808","version":"2013","id":"0x8001","name":"platform response","phone":"123456789012","serial":1,` +
		`"body":{"ack_serial":123,"ack_id":"0x01c8","result":3}}` + "\n"
	got := objects(t, out)
	wanted := objects(t, want)
	for key := range wanted[0] {
		if key == "name" {
			continue
		}
		a, _ := json.Marshal(got[0][key])
		b, _ := json.Marshal(wanted[0][key])
		if !bytes.Equal(a, b) {
			t.Errorf("%s is %s, want %s", key, a, b)
		}
	}
}

func TestDecodeStreams(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stdin string
		args  []string
		want  []bool // ok of each frame
	}{
		"one argument":                {args: []string{heartbeat}, want: []bool{true}},
		"a frame in several words":    {args: []string{"7e 00020000", "123456789012,0001", "0x89 7E"}, want: []bool{true}},
		"two frames, one delimiter":   {args: []string{strings.TrimSuffix(heartbeat, "7e") + response}, want: []bool{true, true}},
		"a line each":                 {stdin: heartbeat + "\n\n" + response + "\r\n", want: []bool{true, true}},
		"damage, then a good frame":   {stdin: badChecksum + heartbeat + "\n", want: []bool{false, true}},
		"noise before a frame":        {args: []string{"01020304" + heartbeat}, want: []bool{true}},
		"unfinished":                  {args: []string{heartbeat + "7e0002"}, want: []bool{true, false}},
		"no delimiter":                {args: []string{"0102"}, want: []bool{false}},
		"odd number of digits":        {args: []string{heartbeat + "7"}, want: []bool{false}},
		"no hex":                      {stdin: "hello\n" + heartbeat, want: []bool{false, true}},
		"only delimiters":             {args: []string{"7e7e"}, want: []bool{false}},
		"a body that is cut off":      {args: []string{"7e8100400001123456789012345620190001107e"}, want: []bool{false}},
		"an encrypted body":           {stdin: "", args: []string{"7e0801040500123456789002de001a000221757e"}, want: []bool{true}},
		"nothing on standard input":   {stdin: "", want: nil},
		"blank lines and white space": {stdin: "  \n\t\n", want: nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, test.stdin, append([]string{"decode", "jt808", "--json"}, test.args...)...)
			var got []bool
			failed := false
			for _, o := range objects(t, out) {
				ok, _ := o["ok"].(bool)
				got = append(got, ok)
				failed = failed || !ok
				if !ok && (o["error"] == "" || o["hex"] == nil) {
					t.Errorf("a failure without its reason and bytes: %v", o)
				}
			}
			if len(got) != len(test.want) {
				t.Fatalf("frames %v, want %v:\n%s", got, test.want, out)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("frames %v, want %v:\n%s", got, test.want, out)
				}
			}
			if failed != errors.Is(err, errUndecoded) {
				t.Errorf("error %v with failed frames: %v", err, failed)
			}
		})
	}
}

// A text of two packages, cut inside a character.
const (
	textFirst  = "7e8300200401380013800000070002000108c7b0b7c17e"
	textSecond = "7e83002005013800138000000800020002bdd3b5b6c2ab7e"
)

func TestDecodePackages(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]string{"in order": textFirst + textSecond, "the other way round": textSecond + textFirst} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := run(t, "", "decode", "jt808", "--json", stream)
			if err != nil {
				t.Fatal(err)
			}
			frames := objects(t, out)
			if len(frames) != 2 {
				t.Fatalf("%d frames", len(frames))
			}
			if p, _ := frames[0]["package"].(map[string]any); p["total"] != 2.0 {
				t.Errorf("package %v", p)
			}
			if body, _ := frames[0]["body"].(map[string]any); body["data"] == nil {
				t.Errorf("body of the first to come: %v", body)
			}
			if body, _ := frames[1]["body"].(map[string]any); body["text"] != "前方拥堵" {
				t.Errorf("body of the last to come: %v", body)
			}
		})
	}
}

// Packages on lines of their own belong together too, but not those of two
// terminals.
func TestDecodePackagesOnLines(t *testing.T) {
	t.Parallel()
	const otherFirst = "7e8300200401380013800100070002000108c7b0b7c07e" // of 013800138001
	out, err := run(t, otherFirst+"\n"+textFirst+"\n"+textSecond+"\n", "decode", "jt808", "--json")
	if err != nil {
		t.Fatal(err)
	}
	frames := objects(t, out)
	if len(frames) != 3 {
		t.Fatalf("%d frames: %s", len(frames), out)
	}
	if body, _ := frames[2]["body"].(map[string]any); body["text"] != "前方拥堵" {
		t.Errorf("body of the last to come: %v", body)
	}
}

// A terminal that had no answer sends a package again, perhaps when its message is
// complete: the next message of the kind is not mixed with it.
func TestDecodePackagesSentAgain(t *testing.T) {
	t.Parallel()
	const (
		a1 = "7e090020050138001380000001000200014141414141c57e"
		a2 = "7e0900200401380013800000020002000241414141857e"
		b1 = "7e090020050138001380000003000200014142424242c77e"
		b2 = "7e0900200401380013800000040002000242424242837e"
	)
	out, err := run(t, "", "decode", "jt808", "--json", a1+a2+a2+b1+b2)
	if err != nil {
		t.Fatal(err)
	}
	frames := objects(t, out)
	if len(frames) != 5 {
		t.Fatalf("%d frames: %s", len(frames), out)
	}
	for i, want := range map[int]string{1: "4141414141414141", 4: "4242424242424242"} {
		if body, _ := frames[i]["body"].(map[string]any); body["data_hex"] != want {
			t.Errorf("frame %d: %v, want %s", i, body, want)
		}
	}
}

// Of an encrypted package is shown which one it is.
func TestDecodeEncryptedPackage(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "decode", "jt808", "--json", "7e0200241c013800138000000100020001000000000000000301dc89d0073d8aa5000c025d010f240229235959717e")
	if err != nil {
		t.Fatal(err)
	}
	frame := objects(t, out)[0]
	if p, _ := frame["package"].(map[string]any); p["total"] != 2.0 || p["index"] != 1.0 {
		t.Errorf("package %v: %s", p, out)
	}
}

// What is no hex is shown as it came, and what is wrong with it.
func TestDecodeNotHex(t *testing.T) {
	t.Parallel()
	for input, bad := range map[string]string{`"7e00"`: `'"'`, `\x7e`: `'\\'`, "日本": "'日'"} {
		out, err := run(t, "", "decode", "jt808", "--json", input)
		frame := objects(t, out)[0]
		if said, _ := frame["error"].(string); !errors.Is(err, errUndecoded) || frame["hex"] != input || !strings.Contains(said, bad+" at digit 0") {
			t.Errorf("%s: %v, %v", input, frame, err)
		}
	}
}

// Bytes as in a program's source.
func TestDecodeSource(t *testing.T) {
	t.Parallel()
	source := "0x" + strings.Join(pairs(heartbeat), ", 0x")
	short := strings.NewReplacer("0x00", "0x0", "0x01", "0x1", "0x02", "0x2").Replace(source)
	for _, input := range []string{source, short} {
		if out, err := run(t, "", "decode", "jt808", "--json", input); err != nil || objects(t, out)[0]["id"] != "0x0002" {
			t.Errorf("%s: %v, %s", input, err, out)
		}
	}
}

func pairs(digits string) (list []string) {
	for ; len(digits) > 0; digits = digits[2:] {
		list = append(list, digits[:2])
	}
	return list
}

// The bytes of a frame that failed are shown, and no noise before it.
func TestDecodeShowsBadFrame(t *testing.T) {
	t.Parallel()
	out, _ := run(t, "", "decode", "jt808", "--json", "0102"+badChecksum+heartbeat)
	if frames := objects(t, out); frames[0]["hex"] != badChecksum {
		t.Errorf("shown %v, want %s", frames[0]["hex"], badChecksum)
	}
}

// Whoever calls the command wrongly gets status 2, in every command.
func TestWrongCalls(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"bogus", "decode xyz", "decode jt808 --jsn", "platform extra", "demo extra", "serve extra", "config bogus",
		"simulate bogus", "simulate jt808 extra", "version extra", "demo --devices 0", "demo --rate -1",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			_, err := run(t, "", strings.Fields(args)...)
			var usage *usageError
			if !errors.As(err, &usage) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestDecodeText(t *testing.T) {
	t.Parallel()
	out, err := run(t, "", "decode", "jt808", response, badChecksum)
	if !errors.Is(err, errUndecoded) {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"JT808 2013 0x8001", "phone 123456789012", "ack_serial", "123", "BAD FRAME", "check byte"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
}
