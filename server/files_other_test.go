//go:build !unix

package server_test

import "errors"

const filesEnv = "LINKSPAN_TEST_FILES"

func serveWithFewFiles() error { return errors.ErrUnsupported }
