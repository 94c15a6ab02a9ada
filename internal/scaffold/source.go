package scaffold

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// linkspan is the path of the module that plugins are built against.
const linkspan = "github.com/linkspan/linkspan"

// goVersion is what a module asks for that knows no more than linkspan's version.
const goVersion = "1.26.0"

// Source is where the new module gets linkspan from: a released version, or a
// checkout. One of its fields is set.
type Source struct {
	Version string // v1.2.3
	Path    string // a folder that holds linkspan's go.mod
}

var (
	// ErrNoSource is returned when nothing says where linkspan comes from.
	ErrNoSource = errors.New("scaffold: this build of linkspan has no released version: say --linkspan VERSION, or --linkspan PATH of a checkout")
	// ErrNoCheckout is returned for a folder that does not hold linkspan's sources.
	ErrNoCheckout = errors.New("scaffold: no checkout of linkspan")
)

var (
	version     = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	requirement = regexp.MustCompile(`(?m)^\t(\S+ v\S+)`)
	goDirective = regexp.MustCompile(`(?m)^go (\S+)$`)
	modLine     = regexp.MustCompile(`(?m)^module (\S+)$`)
)

// ParseSource reads what a user or a build says: a version, or a path.
func ParseSource(text string) (Source, error) {
	switch {
	case version.MatchString(text):
		return Source{Version: text}, nil
	case IsCheckout(text):
		return Source{Path: text}, nil
	default:
		return Source{}, fmt.Errorf("%w in %q, and it is no version either: want v1.2.3, or a folder that holds linkspan's go.mod", ErrNoCheckout, text)
	}
}

// Checkout is the checkout that dir is in or below of.
func Checkout(dir string) (path string, ok bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	for {
		if IsCheckout(dir) {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// IsCheckout says whether dir holds linkspan's go.mod.
func IsCheckout(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod")) //nolint:gosec // only looked at
	m := modLine.FindSubmatch(text)
	return err == nil && m != nil && string(m[1]) == linkspan
}

// files are go.mod of module in dir and, of a checkout, go.sum: whose needs are
// the checkout's, so that nothing has to be looked up.
func (s Source) files(module, dir string) ([]File, error) {
	var mod strings.Builder
	begin := func(goVersion, version string) {
		fmt.Fprintf(&mod, "module %s\n\ngo %s\n\nrequire %s %s\n", module, goVersion, linkspan, version)
	}
	if s.Version != "" {
		begin(goVersion, s.Version)
		return []File{{"go.mod", mod.String()}}, nil
	}
	if s.Path == "" {
		return nil, ErrNoSource
	}
	theirs, err := os.ReadFile(filepath.Join(s.Path, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("scaffold: %w", err)
	}
	sum, err := os.ReadFile(filepath.Join(s.Path, "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("scaffold: %w", err)
	}
	directive := goDirective.FindSubmatch(theirs)
	if directive == nil {
		return nil, fmt.Errorf("%w in %s: its go.mod names no version of Go", ErrNoCheckout, s.Path)
	}
	replace, err := s.replacement(dir)
	if err != nil {
		return nil, err
	}
	begin(string(directive[1]), "v0.0.0")
	mod.WriteString("\nrequire (\n")
	for _, m := range requirement.FindAllSubmatch(theirs, -1) {
		fmt.Fprintf(&mod, "\t%s // indirect\n", m[1])
	}
	fmt.Fprintf(&mod, ")\n\nreplace %s => %s\n", linkspan, replace)
	return []File{{"go.mod", mod.String()}, {"go.sum", string(sum)}}, nil
}

// replacement is the path of the checkout as go.mod in dir has it: relative to
// dir if the user's was relative, with slashes, quoted where it has to be.
func (s Source) replacement(dir string) (string, error) {
	to := s.Path
	if !filepath.IsAbs(to) {
		from, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("scaffold: %w", err)
		}
		if to, err = filepath.Abs(to); err != nil {
			return "", fmt.Errorf("scaffold: %w", err)
		}
		if to, err = filepath.Rel(from, to); err != nil {
			return "", fmt.Errorf("scaffold: %w", err)
		}
		if !strings.HasPrefix(to, "..") {
			to = "." + string(filepath.Separator) + to
		}
	}
	to = filepath.ToSlash(to)
	if strings.ContainsAny(to, " \t\"'`(),") || strings.Contains(to, "//") {
		return fmt.Sprintf("%q", to), nil
	}
	return to, nil
}
