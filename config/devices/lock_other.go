//go:build !unix

package devices

import "os"

// lock does nothing here: two processes must not use the same file of bindings.
func lock(*os.File) error { return nil }
