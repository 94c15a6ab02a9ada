package config

import (
	"testing"
)

// A key that is missing since its substitution found nothing is where that stands.
func TestKeysWhoseSubstitutionFoundNothing(t *testing.T) {
	t.Parallel()
	tree, err := Loader{Environ: []string{"LINKSPAN_ROOM_SIZE=3"}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	var sized struct {
		Room struct {
			Size int `conf:"size"`
		} `conf:"room"`
	}
	if err = tree.Decode("", &sized); err != nil {
		t.Fatal(err)
	}
	if got, want := tree.Errorf("room.size", "is 3", "").Error(), "config: environment variable LINKSPAN_ROOM_SIZE: room.size: is 3"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	tree, err = Parse("a.conf", "name = x\nsecret = ${?SECRET}\nlist = [{ id = ${?ID} }]")
	if err != nil {
		t.Fatal(err)
	}
	const found = "} found nothing: there is no such key, and no such environment variable"
	if got, want := tree.Errorf("secret", "is missing", "give one").Error(), "config: a.conf:2:10: secret: is missing: ${?SECRET"+found+"; give one"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var all struct {
		List []struct {
			ID string `conf:"id,required"`
		} `conf:"list"`
	}
	err = tree.Decode("", &all)
	if want := "config: a.conf:3:16: list.0.id: is required and missing: ${?ID" + found; err == nil || err.Error()[:len(want)] != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got, want := tree.Errorf("name", "is x", "").Error(), "config: a.conf:1:8: name: is x"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
