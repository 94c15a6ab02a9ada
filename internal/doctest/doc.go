// Package doctest holds the documentation against the program: that every
// configuration on a page passes the check, every command line parses, every
// link leads somewhere, every Go program shown is a file that is compiled and
// tested, and that tables of causes, metrics and keys are complete.
//
// What the words behind a code block's fence mean:
//
//	```hocon              a whole application.conf: linkspan config check takes it
//	```hocon devices      a whole devices.conf
//	```hocon fragment     a part, taken by the check at one of the places it may stand at
//	```hocon platform     a section platform, for linkspan platform -c
//	```hocon plugin       of a build with a plugin of one's own: only its syntax is checked
//	```csv devices        a whole devices file
//	```secrets            a whole file of auth.type = static
//	```sh                 its linkspan and make command lines have to be right
//	```go file=PATH       lines of that file, as they are there
//
// The table of metrics on docs/operations.md, between two comments, is made:
// go test ./internal/doctest -update makes it anew.
package doctest
