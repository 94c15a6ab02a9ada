package thing_test

import (
	"fmt"

	"github.com/linkspan/linkspan/thing"
)

func ExampleAppendFields() {
	fields := []thing.Field{
		{Name: "latitude", Value: thing.Decimal(31234567, 6)},
		{Name: "speed", Value: thing.Decimal(605, 1)},
		{Name: "acc", Value: thing.Bool(true)},
	}
	fmt.Println(string(thing.AppendFields(nil, fields)))
	// Output: {"latitude":31.234567,"speed":60.5,"acc":true}
}

func ExampleParseFields() {
	fields, err := thing.ParseFields([]byte(`{"interval":30,"mode":"eco"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	interval, _ := thing.Get(fields, "interval")
	seconds, ok := interval.Int()
	fmt.Println(seconds, ok)
	// Output: 30 true
}

func ExampleCommand_Reply() {
	cmd := thing.Command{ID: "17", Kind: thing.Service, Name: "unlock"}
	m := cmd.Reply(thing.Refused)
	m.Code, m.Text = 2, "engine is running"
	fmt.Println(m.Kind, m.ID, m.Name, m.State, m.Code, m.Text)
	// Output: reply 17 unlock refused 2 engine is running
}
