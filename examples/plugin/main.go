// Command plugin is linkspan with a protocol of one's own: all of it.
package main

import (
	"github.com/linkspan/linkspan/cli"
	_ "github.com/linkspan/linkspan/standard" // the protocols and platforms in the box

	_ "example.com/acme/meter" // protocol acme.meter
)

func main() { cli.Main() }
