// Package scaffold makes the files that a plugin in a module of its own begins
// with: those of examples/plugin under other names. The files below plugin are
// copies of that example, for a package cannot embed the files of another
// module; go test ./internal/scaffold -update copies them anew.
package scaffold
