package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan/config/hocon"
)

// filePrefix begins a secret's value that names a file which holds the secret.
const filePrefix = "file:"

// maxSecret is the largest file of a secret, in bytes.
const maxSecret = 64 << 10

// othersMay are the permissions that the file of a secret should not give.
const othersMay fs.FileMode = 0o027

// fromFile gives the secret v, which is that of a file if v names one. A
// relative path begins at the folder of the file in which v stands. ok is false
// after a mistake.
func (d *decoder) fromFile(v *hocon.Value, path []string) (secret *hocon.Value, ok bool) {
	name, named := strings.CutPrefix(v.Text(), filePrefix)
	if !named || v.Kind() != hocon.String {
		return v, true
	}
	if !filepath.IsAbs(name) && name != "" {
		name = filepath.Join(filepath.Dir(v.Pos().File), name)
	}
	text, mode, err := readSecret(name)
	if err != nil {
		e := errorAt(v.Pos(), hocon.FormatPath(path), err.Error(), "write file:PATH, of a file that holds the secret alone; relative paths begin at this file's folder")
		e.Err = err
		d.errs = append(d.errs, e)
		return nil, false
	}
	if mode&othersMay != 0 && runtime.GOOS != "windows" {
		d.all.note(errorAt(v.Pos(), hocon.FormatPath(path), fmt.Sprintf("the file %s of this secret has permissions %04o: others may read or change it", name, mode), "chmod 600 "+name))
	}
	if lines := strings.Count(text, "\n"); lines > 0 && !strings.HasPrefix(text, "-----BEGIN ") {
		d.all.note(errorAt(v.Pos(), hocon.FormatPath(path), fmt.Sprintf("the file %s of this secret has %d lines, all of which are the secret", name, lines+1), "a file holds one secret alone"))
	}
	return v.WithText(text), true
}

// readSome reads the beginning of a file.
func readSome(name string, most int64) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // reading the files an operator names is what it is for
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, most))
	return b, errors.Join(err, f.Close())
}

// readSecret reads a small text file, without the newline at its end.
func readSecret(name string) (text string, mode fs.FileMode, err error) {
	if name == "" {
		return "", 0, errors.New("names no file of the secret")
	}
	info, err := os.Stat(name) // before opening, which would wait at a pipe
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("cannot read the file of the secret: %w", err)
	case !info.Mode().IsRegular():
		return "", 0, fmt.Errorf("the file %s of the secret is not a regular file", name)
	}
	b, err := readSome(name, maxSecret+1)
	text = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("cannot read the file of the secret: %w", err)
	case len(b) > maxSecret:
		return "", 0, fmt.Errorf("the file %s of the secret is larger than %d bytes", name, maxSecret)
	case text == "":
		return "", 0, fmt.Errorf("the file %s of the secret is empty", name)
	case !utf8.ValidString(text):
		return "", 0, fmt.Errorf("the file %s of the secret is not a text in UTF-8", name)
	}
	return text, info.Mode().Perm(), nil
}
