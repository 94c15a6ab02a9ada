// Package components replaces what linkspan is made of, one component after the
// other, by one from outside, as programs that use it do: with exported names
// only. docs/components.md shows these replacements.
package components
