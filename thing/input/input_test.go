package input_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/thing/input"
)

func fields(t *testing.T, text string) []thing.Field {
	t.Helper()
	f, err := thing.ParseFields([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read reads what a service with fields of every kind would.
func read(in *input.Reader) []any {
	var points []int64
	got := []any{
		in.Int("interval", 1, 60, 10), in.NeedInt("count", 0, 9), in.Bool("loud", true), in.NeedBool("on"),
		in.Text("note"), in.NeedText("name"), in.Bytes("data"), in.One("mode", 1, "slow", "fast"), in.Has("extra"),
	}
	in.Items("points", 1, 2, func(in *input.Reader) { points = append(points, in.NeedInt("x", -5, 5)) })
	return append(got, points)
}

func TestWhatIsGiven(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []any
	}{
		{
			`{"interval":60,"count":true,"loud":false,"on":1,"note":"n","name":"m","data":"0A 0b","mode":"slow","extra":0,"points":[{"x":-5},{"x":4}]}`,
			[]any{int64(60), int64(1), false, true, "n", "m", []byte{10, 11}, 0, true, []int64{-5, 4}},
		},
		{
			`{"interval":null,"count":9.0,"on":false,"name":"","points":[{"x":0}]}`,
			[]any{int64(10), int64(9), true, false, "", "", []byte{}, 1, false, []int64{0}},
		},
	} {
		in := input.New(fields(t, c.text))
		if got := read(in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.text, got, c.want)
		}
		if err := in.Err(); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// Whoever sent a command learns of all that is wrong with it at once.
func TestWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`: "count: is missing; on: is missing; name: is missing; points: is missing",
		`{"interval":0,"count":1.5,"loud":"x","on":2,"note":1,"name":true,"data":"0","mode":"odd","points":[3,{"x":6,"y":1}]}`: `interval: 0, must be a whole number from 1 to 60; ` +
			`count: 1.5, must be a whole number from 0 to 9; loud: "x", must be true or false; on: 2, must be true or false; ` +
			`note: 1, must be a text, in quotation marks; name: true, must be a text, in quotation marks; data: must be hexadecimal digits, two for each byte; ` +
			`mode: "odd", must be slow or fast; points: item 0 must be an object; points[1].x: 6, must be a whole number from -5 to 5; ` +
			`points[1].y: is not known here; known are x`,
		`{"count":1,"on":1,"name":"","points":[],"other":1}`: `points: must be a list of 1 to 2; ` +
			`other: is not known here; known are count, data, extra, interval, loud, mode, name, note, on, points`,
	} {
		in := input.New(fields(t, text))
		read(in)
		var reply *thing.ReplyError
		if err := in.Err(); !errors.As(err, &reply) || reply.State != thing.Invalid || reply.Text != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
	in := input.New(fields(t, `{"a":1}`))
	if err := in.Err(); err == nil || err.(*thing.ReplyError).Text != "a: is not known here: nothing is" { //nolint:errorlint,forcetypeassert // as documented
		t.Errorf("got %v", err)
	}
}

func Example() {
	in := input.New([]thing.Field{{Name: "interval", Value: thing.Int(0)}, {Name: "colour", Value: thing.String("red")}})
	in.Int("interval", 1, 3600, 60)
	in.NeedText("text")
	fmt.Println(in.Err())
	// Output: thing: command invalid: interval: 0, must be a whole number from 1 to 3600; text: is missing; colour: is not known here; known are interval, text
}
