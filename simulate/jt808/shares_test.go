package jt808_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/simulate/jt808"
)

// The help of a share says that it is one, and between which numbers.
func TestSharesSayTheirRange(t *testing.T) {
	t.Parallel()
	for f := range reflect.TypeFor[jt808.Faults]().Fields() {
		if doc := f.Tag.Get("doc"); !strings.HasPrefix(doc, "share of terminals, from 0 to 1, that ") {
			t.Errorf("faults.%s: %q", f.Name, doc)
		}
	}
	for _, name := range []string{"Alarms", "Batch", "Refuse"} {
		f, _ := reflect.TypeFor[jt808.Config]().FieldByName(name)
		if doc := f.Tag.Get("doc"); !strings.Contains(doc, "from 0 to 1") {
			t.Errorf("%s: %q", name, doc)
		}
	}
}
