// Package config loads configuration files and decodes their sections into the
// structs of the packages that own them.
//
// [Load] and [Loader] read HOCON (.conf, .hocon), JSON (.json) and Java
// properties (.properties) files, lay later ones over earlier ones and
// environment variables and -Dkey=value definitions over them all:
//
//	definitions > environment > files, the last first > defaults
//
// [Tree.Decode] fills a struct by its tags. What the struct held before is the
// default; every mistake is reported at once ([Errors]), with file, line and key.
//
//	type Config struct {
//		MaxFrame int           `conf:"maxFrame,bytes" doc:"largest frame"`
//		Idle     time.Duration `conf:"idle" doc:"a connection silent for that long is closed"`
//		Key      auth.Secret   `conf:"key,required" doc:"signs requests"`
//	}
//
// The tag conf holds the key and options: required (it must be given, unless the struct has a default), bytes
// (an integer that takes size units, as in 64KiB), secret (never printed). The tag
// example has a value to recommend where a required key is missing. The
// value of a secret may be file:PATH, then the file holds it. A field without the tag is left alone; an embedded struct without it shares the
// keys of its owner. A type decides itself when its pointer is an
// encoding.TextUnmarshaler. A field of type [*Tree] takes its section as it is,
// for an owner who is known only later.
//
// Package config is a leaf: only the command line knows both it and the owners
// of sections. [Reference] prints all keys of such structs.
package config
