// Package archtest holds the rules of the house that a machine can check: which
// room may import which, what every package and file has to have. They run with
// all other tests.
package archtest
