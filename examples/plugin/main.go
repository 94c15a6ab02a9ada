// Command linkspan-meter is linkspan with the protocol acme.meter in it.
package main

import (
	"github.com/linkspan/linkspan/cli"
	_ "github.com/linkspan/linkspan/standard" // the protocols and platforms in the box

	_ "example.com/acme/meter" // protocol acme.meter
)

func main() { cli.Main() }
