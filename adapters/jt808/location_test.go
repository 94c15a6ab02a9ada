package jt808

import (
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
)

func TestLocationBecomesProperties(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.wantAnswer(x.say(x.place()), jt808.IDLocation, jt808.ResultOK)
	said := x.TakeSaid()
	wantNames(t, said, "property")
	want := `{"latitude":31.234567,"longitude":121.456789,"altitude":44,"speed":60.5,"direction":90,"positioned":true,` +
		`"time":1767323045000,"acc":true,"alarm":0,"status":3}`
	if got := text(said[0].Fields); got != want {
		t.Errorf("properties\n got %s\nwant %s", got, want)
	}
	if !said[0].Time.Equal(x.Now()) {
		t.Errorf("time %v, want %v", said[0].Time, x.Now())
	}
	if said[0].Identity != digits {
		t.Errorf("said by %q", said[0].Identity)
	}
}
