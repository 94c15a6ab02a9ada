// Package hocon reads HOCON, the Human-Optimized Config Object Notation of
// https://github.com/lightbend/config/blob/main/HOCON.md, as a superset of
// JSON, and Java properties files.
//
// A text becomes a [Document], an unresolved tree with a position for every
// key and value. Documents are merged ([Document.Merge]) and then resolved
// ([Document.Resolve]), which replaces substitutions and yields an immutable
// [Value]. Resolution is lazy: a substitution looks forward to the final value
// of its path, and only when that is a cycle looks back to what the field was
// before.
//
// Input is not trusted: text size, nesting, included files, resolution steps
// and the number of resulting values are limited ([Limits]). Mistakes are
// *[Error] values with file, line, column and how to mend them; nothing panics.
//
// Only package config, its children and the command line import this package.
package hocon
