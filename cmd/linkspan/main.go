// Command linkspan bridges devices that IoT platforms do not speak to. This
// file is all that a build with plugins of one's own has to copy: add their
// imports.
package main

import (
	"github.com/linkspan/linkspan/cli"
	_ "github.com/linkspan/linkspan/standard" // the protocols and platforms in the box
)

func main() { cli.Main() }
