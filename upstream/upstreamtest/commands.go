package upstreamtest

import (
	"context"
	"slices"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// answer replies to the next command of a device.
func answer(c *client, state thing.State, fields []thing.Field) {
	go func() { // ends with the command, which the test waits for
		cmd := <-c.commands
		m := cmd.Reply(state)
		m.Fields, m.Code, m.Text, m.Raw = fields, 7, "because", cmd.Raw
		if state == thing.Done {
			m.Code, m.Text = 0, ""
		}
		c.device.Publish(&m, upstream.Ignore)
		c.commands <- cmd // for the test
	}()
}

func command(w *world, c *client, cmd *thing.Command) thing.Message {
	t := w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), w.platform.Patience)
	defer cancel()
	reply, err := w.platform.Command(ctx, c.id, cmd)
	if err != nil {
		t.Fatalf("command %v: %v", cmd.Kind, err)
	}
	got := await(w, "Command", c.commands)
	if got.Kind != cmd.Kind || got.Name != cmd.Name || string(got.Raw) != string(cmd.Raw) {
		t.Errorf("command arrived as %+v, want %+v", got, cmd)
	}
	for _, f := range cmd.Fields {
		if v, found := thing.Get(got.Fields, f.Name); !found || v.String() != f.Value.String() {
			t.Errorf("%s arrived as %v, want %v", f.Name, v, f.Value)
		}
	}
	return reply
}

func commands(w *world) {
	t := w.t
	if w.platform.Command == nil {
		t.Skip("the platform gives no commands")
	}
	c := w.login(w.platform.Devices[0])
	in := []thing.Field{{Name: "power", Value: thing.Int(1)}, {Name: "mode", Value: thing.String("eco")}}
	out := []thing.Field{{Name: "power", Value: thing.Int(3)}}
	for _, cmd := range []*thing.Command{
		{Kind: thing.SetProperties, Fields: in},
		{Kind: thing.GetProperties, Fields: []thing.Field{{Name: "power"}}},
		{Kind: thing.Service, Name: "restart", Fields: in},
	} {
		answer(c, thing.Done, out)
		reply := command(w, c, cmd)
		if v, _ := thing.Get(reply.Fields, "power"); reply.State != thing.Done || v.String() != "3" {
			t.Errorf("%v: the platform got %+v, want done with power 3", cmd.Kind, reply)
		}
		answer(c, thing.Refused, nil)
		if reply := command(w, c, cmd); reply.State == thing.Done {
			t.Errorf("%v: a refusal arrived as %+v", cmd.Kind, reply)
		}
	}
	if slices.Contains(w.platform.Kinds, thing.Raw) {
		answer(c, thing.Done, nil)
		reply := command(w, c, &thing.Command{Kind: thing.RawDown, Raw: []byte{1, 0, 0xff}})
		if string(reply.Raw) != "\x01\x00\xff" {
			t.Errorf("raw: the platform got %+v", reply)
		}
	}
}
