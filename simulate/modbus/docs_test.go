package modbus_test

import (
	"os"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/simulate/modbus"
)

// The image on the page about the simulator is one.
func TestImageOfTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/simulate-modbus.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```csv\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		t.Fatal("there is no block of CSV")
	}
	if _, err := modbus.ReadImage(strings.NewReader(block)); err != nil {
		t.Error(err)
	}
}
