package modbus

import (
	"bytes"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/cli"
	"github.com/linkspan/linkspan/simulate/modbus"
	_ "github.com/linkspan/linkspan/standard"
)

// The configuration is sound, its table of points included.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := cli.Command()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs([]string{"config", "check", "-c", "application.conf"})
	if err := c.ExecuteContext(t.Context()); err != nil || strings.TrimSpace(out.String()) != "ok" {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// The simulated meter has all of its registers.
func TestImage(t *testing.T) {
	t.Parallel()
	c := modbus.DefaultConfig()
	c.Image = "slaves.csv"
	if _, err := modbus.New(c); err != nil {
		t.Error(err)
	}
}
