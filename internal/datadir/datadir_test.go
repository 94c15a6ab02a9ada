package datadir

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the test binary be another process that tries to open a directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LINKSPAN_DATADIR_TEST"); dir != "" {
		d, err := Open(dir)
		if err == nil {
			err = d.Close()
		}
		if err != nil {
			_, _ = os.Stdout.WriteString(err.Error())
		}
		return
	}
	os.Exit(m.Run()) //nolint:forbidigo // the test binary's main
}

func elsewhere(t *testing.T, dir string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "LINKSPAN_DATADIR_TEST="+dir)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "data")
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if out := elsewhere(t, path); !strings.Contains(out, ErrLocked.Error()) {
		t.Errorf("another process opens it: %q", out)
	}
	if _, err = Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open is %v, want ErrLocked", err)
	}
	sub, err := d.Sub(Queue)
	if err != nil || sub != filepath.Join(path, "queue") || d.Path() != path {
		t.Errorf("Sub is %s, %v", sub, err)
	}
	for _, p := range []string{path, sub} {
		if info, statErr := os.Stat(p); statErr != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has rights %v, %v; want 0700", p, info.Mode(), statErr)
		}
	}
	if err = Check(path); err != nil {
		t.Error(err)
	}
	if err = d.Close(); err != nil {
		t.Error(err)
	}
	if out := elsewhere(t, path); out != "" {
		t.Errorf("another process cannot open it after Close: %q", out)
	}
}

func TestForeignDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Check(dir); !errors.Is(err, ErrForeign) {
		t.Errorf("Check of an empty directory is %v, want ErrForeign", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("Open is %v, want ErrForeign that names the file", err)
	}
	if _, err := os.Stat(filepath.Join(dir, lockFile)); err == nil {
		t.Error("a file was put there")
	}
	if err := Check(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there passes Check")
	}
}

// A process that was killed before it wrote the version leaves a directory that opens.
func TestInterruptedMaking(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{lockFile, versionFile + ".tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("li"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err = d.Close(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, versionFile)); string(text) != "linkspan data 1\n" {
		t.Errorf("the version is %q, %v", text, err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"linkspan data 1\n": nil, "linkspan data 99\n": ErrVersion, "linkspan data x\n": ErrForeign, "": ErrForeign, "linkspan data 0": ErrForeign,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, versionFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%q: Open is %v, want %v", text, err, want)
		}
		if checked := Check(dir); !errors.Is(checked, want) {
			t.Errorf("%q: Check is %v, want %v", text, checked, want)
		}
		if err == nil {
			err = d.Close()
		}
		if after, _ := os.ReadFile(filepath.Join(dir, versionFile)); err == nil && string(after) != text {
			t.Errorf("%q became %q", text, after)
		}
	}
}

// Steps are taken one by one, and not again once their version is written.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, versionFile), []byte("linkspan data 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	errStep := errors.New("interrupted")
	var taken []int
	steps := map[int]Upgrade{
		1: func(string) error { taken = append(taken, 1); return nil },
		2: func(string) error {
			taken = append(taken, 2)
			if len(taken) == 2 {
				return errStep
			}
			return nil
		},
	}
	if _, err := open(dir, 3, steps); !errors.Is(err, errStep) {
		t.Fatalf("open is %v, want the step's error", err)
	}
	d, err := open(dir, 3, steps)
	if err != nil {
		t.Fatal(err)
	}
	if err = d.Close(); err != nil {
		t.Error(err)
	}
	if len(taken) != 3 || taken[2] != 2 {
		t.Errorf("steps %v were taken, want 1, 2, and 2 again", taken)
	}
	if _, err = Open(dir); !errors.Is(err, ErrVersion) {
		t.Errorf("an older program opens it: %v", err)
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	if n, err := Free(t.TempDir()); err != nil || n <= 0 {
		t.Errorf("Free is %d, %v", n, err)
	}
	if _, err := Free(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there has space")
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, foreign, newer := filepath.Join(dir, "file"), filepath.Join(dir, "foreign"), filepath.Join(dir, "newer")
	err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(foreign, 0o700), os.Mkdir(newer, 0o700),
		os.WriteFile(filepath.Join(foreign, "a.txt"), nil, 0o600), os.WriteFile(filepath.Join(newer, versionFile), []byte("linkspan data 99\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none", "at", "all"): "",
		dir + "/":                               "holds",
		file:                                    "file is not a directory",
		filepath.Join(file, "data"):             "file is not a directory",
		foreign:                                 ErrForeign.Error(),
		newer:                                   ErrVersion.Error(),
	} {
		if err = Usable(path); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err = os.Stat(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
	d, err := Open(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(Usable(d.Path()), d.Close(), Usable(d.Path())); err != nil {
		t.Error(err)
	}
}
