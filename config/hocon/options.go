package hocon

import (
	"io"
	"os"
)

// Limits bound what a text may cost. A zero field means its default.
type Limits struct {
	Bytes    int64 // of all files of a document together; 16 MiB
	Depth    int   // of nested objects, arrays and path parts, and of substitutions within substitutions; 2000
	Includes int   // files included, all together; 1000
	Nesting  int   // files included by included files; 50
	Steps    int   // of resolving; 2,000,000
	Values   int   // in the resolved tree; 2,000,000
	Text     int   // bytes in one string of a concatenation; 16 MiB
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.Bytes <= 0 {
		l.Bytes = 16 << 20
	}
	def(&l.Depth, 2000)
	def(&l.Includes, 1000)
	def(&l.Nesting, 50)
	def(&l.Steps, 2_000_000)
	def(&l.Values, 2_000_000)
	def(&l.Text, 16<<20)
	return l
}

// Options say how to read. The zero value reads files of the operating system
// and falls back to no environment.
type Options struct {
	Limits Limits
	// LookupEnv is asked for a substitution that no path answers; nil: none is
	// known. See [os.LookupEnv].
	LookupEnv func(name string) (string, bool)
	// Open opens an included file; nil: os.Open. An error that is
	// fs.ErrNotExist lets an include that is not required pass.
	Open func(name string) (io.ReadCloser, error)
	// NoIncludes refuses every include.
	NoIncludes bool
}

func (o Options) open(name string) (io.ReadCloser, error) {
	if o.Open != nil {
		return o.Open(name)
	}
	return os.Open(name) //nolint:gosec // reading the files an operator names is what it is for
}
