package alink

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// Whatever the platform sends, a command's reply goes to a topic of the device,
// and says the id that was asked with.
func FuzzCommand(f *testing.F) {
	f.Add("thing/service/property/set", []byte(`{"id":"7","params":{"power":1},"method":"thing.service.property.set"}`))
	f.Add("thing/service/property/get", []byte(`{"id":7,"params":["power"]}`))
	f.Add("thing/service/unlock", []byte(`{"id":"7","params":null}`))
	f.Add("rrpc/request/99", []byte(`{"id":"8","method":"thing.service.property.get","params":["a"]}`))
	f.Add("rrpc/request/99", []byte("of a user's own"))
	f.Add("thing/model/down_raw", []byte{0, 1, 0xff})
	name := NameOf("a1truck0001", "truck-1")
	f.Fuzz(func(t *testing.T, rest string, payload []byte) {
		if !TopicText(rest) || len(rest) > 80 || strings.ContainsAny(rest, "+#") {
			t.Skip()
		}
		c, err := Command(rest, name.Sys()+"/"+rest, payload, 5)
		var wrong *ParamsError
		if errors.As(err, &wrong) {
			if !strings.HasPrefix(wrong.Topic, name.Sys()+"/") || !json.Valid(wrong.Payload) {
				t.Errorf("%s: answered by %s under %s", rest, wrong.Payload, wrong.Topic)
			}
			return
		}
		if err != nil || c == nil {
			return
		}
		reply := c.Reply(thing.Done)
		reply.Raw = []byte("answer")
		topic, answer, _, err := name.Encode(nil, 1, &reply)
		if err != nil {
			if errors.Is(err, ErrTopic) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrCommandID) {
				return // of an id that fits nowhere
			}
			t.Fatalf("reply to %+v: %v", c, err)
		}
		if !strings.HasPrefix(topic, name.Sys()+"/") || c.Kind != thing.RawDown && !json.Valid(answer) {
			t.Errorf("reply to %s: %s under %s", rest, answer, topic)
		}
	})
}

func TestName(t *testing.T) {
	t.Parallel()
	n := NameOf("pk", "dn")
	if n.String() != "pk/dn" || n.ProductKey() != "pk" || n.DeviceName() != "dn" || n.Sys() != "/sys/pk/dn" {
		t.Errorf("%s: %s, %s, %s", n.String(), n.ProductKey(), n.DeviceName(), n.Sys())
	}
	if got := strings.Join(Filters("+/+", true, []string{"user/get"}), " "); !strings.Contains(got, "/sys/+/+/thing/event/+/post_reply") || !strings.HasSuffix(got, " /+/+/user/get") {
		t.Errorf("filters %s", got)
	}
}

// What the hot path appends is text and numbers: nothing else that would have to be kept.
func TestPropertyPostAllocatesNothing(t *testing.T) {
	m := &thing.Message{Kind: thing.Property, Time: time.UnixMilli(1795251051000), Fields: []thing.Field{
		{Name: "latitude", Value: thing.Decimal(31234567, 6)}, {Name: "longitude", Value: thing.Decimal(121234567, 6)}, {Name: "acc", Value: thing.Bool(true)},
	}}
	buf := AppendPropertyPost(nil, 1, m)
	if want := `{"id":"1","version":"1.0","params":{"latitude":{"value":31.234567,"time":1795251051000},"longitude":{"value":121.234567,"time":1795251051000},` +
		`"acc":{"value":true,"time":1795251051000}},"method":"thing.event.property.post"}`; string(buf) != want {
		t.Errorf("got  %s\nwant %s", buf, want)
	}
	if n := testing.AllocsPerRun(100, func() { buf = AppendPropertyPost(buf[:0], 1, m) }); n != 0 {
		t.Errorf("it allocates %.0f times", n)
	}
}

func BenchmarkEncodeProperty(b *testing.B) {
	n := NameOf("a1truck0001", "truck-1")
	m := &thing.Message{Kind: thing.Property, Fields: []thing.Field{{Name: "latitude", Value: thing.Decimal(31234567, 6)}, {Name: "speed", Value: thing.Decimal(605, 1)}}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		_, buf, _, _ = n.Encode(buf[:0], 1, m)
	}
}
