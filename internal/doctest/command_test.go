package doctest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/cli"
	_ "github.com/linkspan/linkspan/standard"
)

// Command lines in sh blocks, and in the text when they begin with linkspan or
// make, name subcommands, flags and targets that exist.
func TestCommandLinesAreRight(t *testing.T) {
	t.Parallel()
	targets := makeTargets(t)
	seen := 0
	for _, p := range pages(t) {
		for _, b := range p.code {
			if b.lang != "sh" {
				continue
			}
			text := strings.ReplaceAll(b.text, "\\\n", " ")
			for i, line := range strings.Split(text, "\n") {
				seen += checkLine(t, targets, fmt.Sprintf("%s:%d", p.name, b.line+1+i), line, true)
			}
		}
		for i, line := range p.prose {
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				seen += checkLine(t, targets, fmt.Sprintf("%s:%d", p.name, i+1), m[1], false)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d command lines were found", seen)
	}
}

var inline = regexp.MustCompile("`((?:linkspan|make) [^`]+)`")

// checkLine looks at all of our commands in a line of shell and says how many
// there were. Whole ones must have all their arguments.
func checkLine(t *testing.T, targets []string, where, line string, whole bool) (seen int) {
	t.Helper()
	for _, words := range commands(line) {
		switch words[0] {
		case "make":
			for _, w := range words[1:] {
				if !strings.Contains(w, "=") && !slices.Contains(targets, w) {
					t.Errorf("%s: the Makefile has no target %s", where, w)
				}
			}
		case "linkspan":
			if err := checkCommand(words[1:], whole); err != nil {
				t.Errorf("%s: %s: %v", where, strings.Join(words, " "), err)
			}
		default:
			continue
		}
		seen++
	}
	return seen
}

var errNoSubcommand = errors.New("there is no such subcommand")

func checkCommand(args []string, whole bool) error {
	cmd, rest, err := cli.Command().Find(args)
	if err != nil {
		return err
	}
	if cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("%s: %w", rest[0], errNoSubcommand)
	}
	for i, w := range rest {
		if w == "..." || !whole && strings.HasPrefix(w, "[") {
			rest = rest[:i]
			break
		}
	}
	if !whole && len(rest) > 0 && strings.HasPrefix(rest[len(rest)-1], "-") { // a flag is named, not used
		if f := strings.TrimLeft(rest[len(rest)-1], "-"); cmd.Flags().Lookup(f) != nil || len(f) == 1 && cmd.Flags().ShorthandLookup(f) != nil {
			rest = rest[:len(rest)-1]
		}
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if !whole || cmd.Flags().Changed("help") {
		return nil
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// commands splits a line of shell into commands and these into words. The name
// of our program is linkspan, however it is called; what stands before it, such
// as variables and sudo, is left out.
func commands(line string) (all [][]string) {
	var words []string
	end := func() {
		for i, w := range words {
			name := w[strings.LastIndexByte(w, '/')+1:]
			if goRun := i+2 < len(words) && w == "go" && words[i+1] == "run" && words[i+2] == "./cmd/linkspan"; goRun {
				all = append(all, append([]string{"linkspan"}, words[i+3:]...))
				break
			}
			if name == "linkspan" || w == "make" {
				all = append(all, append([]string{name}, words[i+1:]...))
				break
			}
			if !strings.Contains(w, "=") && w != "sudo" && w != "timeout" && !strings.HasPrefix(w, "-") {
				break
			}
		}
		words = nil
	}
	var word strings.Builder
	inWord, quote := false, rune(0)
	flush := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			flush()
		case r == '#' && !inWord:
			end()
			return all
		case strings.ContainsRune("|;&<>()", r):
			flush()
			end()
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	flush()
	end()
	return all
}

func makeTargets(t *testing.T) (targets []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// What cannot be right is found.
func TestWrongCommandLinesAreFound(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"linkspan serv", "bin/linkspan serve --port 1", "x=1 linkspan config chek", "echo | go run ./cmd/linkspan platform device",
		"linkspan decode jt809 7e", "linkspan serve now", "linkspan demo --for soon",
	} {
		found := false
		for _, words := range commands(line) {
			found = found || checkCommand(words[1:], true) != nil
		}
		if !found {
			t.Errorf("%s: nothing is found wrong", line)
		}
	}
}

// run runs a command line and gives what it prints.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := cli.Command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}
