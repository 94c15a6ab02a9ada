package gbt26875

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
)

func connectDatagrams(tb testing.TB, p protocol.Plugin) *protocoltest.Device {
	tb.Helper()
	return protocoltest.ConnectDatagrams(tb, p, nil)
}

func ack(word string) func(*Config) { return func(c *Config) { c.Ack = word } }

func TestReceivedDoesNotWait(t *testing.T) {
	t.Parallel()
	x := online(t, ack(ackReceived))
	x.HoldPublishes = true
	x.Send(x.unit(parts(x.smoke(2, gbt26875.PartFire))))
	wants(t, "answers", x.heard(), "confirm 2")
	if x.Online[0].Session.Stored() {
		t.Error("the session wants its messages stored")
	}
}

// What is refused at once is not confirmed: the device says it again.
func TestReceivedAndRefused(t *testing.T) {
	t.Parallel()
	x := online(t, ack(ackReceived))
	x.RefusePublish = errors.New("too much under way")
	fire := x.unit(parts(x.smoke(2, gbt26875.PartFire)))
	x.Send(fire)
	wants(t, "answers", x.heard(), "")
	x.RefusePublish = nil
	x.Send(fire)
	wants(t, "reports of the repetition", kinds(x.said()), "event fire, property")
	wants(t, "answers to it", x.heard(), "confirm 2")
}

// A device that nobody has configured must not be told that its fire has arrived
// while it can still be lost.
func TestNoFireIsConfirmedBeforeItHasArrived(t *testing.T) {
	t.Parallel()
	x := online(t)
	x.FailPublish = errors.New("the platform is away")
	x.Send(x.unit(parts(x.smoke(2, gbt26875.PartFire))))
	wants(t, "answers", x.heard(), "")
	x.FailPublish = nil
	x.Advance(10 * time.Second)
	x.TakeSaid()
	x.Send(x.framed(&gbt26875.Frame{Header: x.header(gbt26875.CommandSend), Data: dataOf(t, parts(x.smoke(2, gbt26875.PartFire)))}))
	wants(t, "reports of the repetition", kinds(x.said()), "event fire, property")
	wants(t, "answers to it", x.heard(), "confirm 2")
}

// A confirmation waits for all that was made of a frame.
func TestDeliveredWaits(t *testing.T) {
	t.Parallel()
	for _, word := range []string{ackStored, ackDelivered} {
		x := online(t, ack(word))
		x.HoldPublishes = true
		x.Send(x.unit(parts(x.smoke(2, gbt26875.PartFire))))
		x.ReleasePublish(1, nil)
		wants(t, "answers before all has arrived", x.heard(), "")
		x.ReleasePublishes(nil)
		wants(t, "answers", x.heard(), "confirm 2")
		if got := x.Online[0].Session.Stored(); got != (word == ackStored) {
			t.Errorf("%s: the session wants its messages stored: %v", word, got)
		}
	}
}

// What did not arrive is not confirmed; for good, it is denied. Sent again it is
// reported again.
func TestUndelivered(t *testing.T) {
	t.Parallel()
	x := online(t, ack(ackDelivered))
	x.FailPublish = errors.New("the platform is away")
	fire := x.unit(parts(x.smoke(2, gbt26875.PartFire|gbt26875.PartFault)))
	x.Send(fire)
	wants(t, "answers while the platform is away", x.heard(), "")
	wants(t, "reports", kinds(x.said()), "event fire, event fault, property")
	x.FailPublish = fmt.Errorf("the platform: %w", auth.ErrDenied)
	x.Send(fire)
	wants(t, "answers when it is refused for good", x.heard(), "deny 2")
	x.TakeSaid()
	x.FailPublish = nil
	x.Send(fire)
	wants(t, "answers", x.heard(), "confirm 2")
	wants(t, "reports, the fault too", kinds(x.said()), "event fire, event fault, property")
	if s := x.stats(); s.Undelivered != 2 || s.Repeated != 0 {
		t.Errorf("%+v", s)
	}
}

// A frame that is sent again is reported once, and confirmed each time.
func TestRepeated(t *testing.T) {
	t.Parallel()
	x := online(t, ack(ackDelivered))
	x.HoldPublishes = true
	fire := x.unit(parts(x.smoke(2, gbt26875.PartFire)))
	x.Send(fire)
	x.Advance(10 * time.Second)
	x.Send(fire) // the platform is slow
	wants(t, "answers", x.heard(), "")
	x.ReleasePublishes(nil)
	wants(t, "answers when it has arrived", x.heard(), "confirm 2")
	x.Advance(10 * time.Second)
	x.Send(fire) // the confirmation was lost
	wants(t, "answers to the third sending", x.heard(), "confirm 2")
	wants(t, "reports", kinds(x.said()), "event fire, property")
	if s := x.stats(); s.Repeated != 2 || s.Fires != 1 {
		t.Errorf("%+v", s)
	}
}

// A fire with the same serial number that is another one is reported: later, of
// another time, or of another part.
func TestNoFireIsTakenForARepetition(t *testing.T) {
	t.Parallel()
	x := online(t)
	fire := func(n uint16) string {
		x.serial = 7
		return kinds(x.tell(parts(x.smoke(n, gbt26875.PartFire))))
	}
	const want = "event fire, property"
	wants(t, "the first", fire(1), want)
	wants(t, "the same again", fire(1), "")
	wants(t, "another part", fire(2), want)
	x.Advance(time.Second)
	wants(t, "another time", fire(1), want)
	frame := x.unit(parts(x.smoke(3, gbt26875.PartFire)))
	x.Send(frame)
	x.said()
	x.Advance(resendWindow + time.Second)
	x.Take()
	x.TakeSaid()
	x.Send(frame)
	wants(t, "the very same after more than a minute", kinds(x.said()), want)
}

// A device whose serial number and clock stand still says fire, all is well, and
// fire again: the last is no repetition of the first.
func TestFireAgainWithAStuckSerialNumber(t *testing.T) {
	t.Parallel()
	x := online(t)
	tell := func(state gbt26875.PartBits) string {
		x.serial = 7
		o := x.smoke(1, state)
		o.Time = gbt26875.Time{}
		f := gbt26875.Frame{Header: x.header(gbt26875.CommandSend), Data: dataOf(t, parts(o))}
		f.Time = gbt26875.Time{}
		x.Take()
		x.TakeSaid()
		x.Send(x.framed(&f))
		x.Advance(time.Second)
		return kinds(x.said())
	}
	for i, step := range []struct {
		state gbt26875.PartBits
		want  string
	}{
		{gbt26875.PartFire, "event fire, property"},
		{gbt26875.PartFire, ""},
		{gbt26875.PartNormal, "event state, property"},
		{gbt26875.PartFire, "event fire, property"},
		{gbt26875.PartFire, ""},
	} {
		wants(t, fmt.Sprintf("step %d", i), tell(step.state), step.want)
	}
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	x := online(t)
	x.Send(x.frame(gbt26875.CommandSend, nil))
	x.Send(x.frame(gbt26875.CommandSend, []byte{0x16}))
	x.Send(x.frame(gbt26875.CommandConfirm, nil))
	x.serial = 2
	x.Send(x.frame(gbt26875.CommandSend, []byte{0x16})) // its number may be what it likes
	wants(t, "answers", x.heard(), "confirm 2, confirm 3 17, confirm 3 17")
	if s := x.stats(); x.said() != "" || s.Heartbeats != 5 {
		t.Errorf("%+v", s)
	}
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]struct{ heard, said string }{
		checksumDeny: {"deny 2", ""}, checksumDrop: {"", ""}, checksumIgnore: {"confirm 2", "event fire, property"},
	} {
		x := online(t, func(c *Config) { c.Checksum = word })
		bad := x.unit(parts(x.smoke(2, gbt26875.PartFire)))
		bad[len(bad)-3]++
		x.Send(bad)
		wants(t, word+": answers", x.heard(), want.heard)
		wants(t, word+": reports", kinds(x.said()), want.said)
		confirmation := x.frame(gbt26875.CommandConfirm, nil)
		confirmation[len(confirmation)-3]++
		x.Send(confirmation)
		wants(t, word+": answers to a confirmation", x.heard(), "")
		if s := x.stats(); (s.Damaged == 2) != (word == checksumDeny) || (len(x.Faults) == 2) != (word == checksumDrop) {
			t.Errorf("%s: %+v, %d faults", word, s, len(x.Faults))
		}
	}
}

// What is whole of damaged data is taken, or none of it.
func TestModes(t *testing.T) {
	t.Parallel()
	cut := func(x *panel) []byte {
		data := dataOf(t, parts(x.smoke(2, gbt26875.PartFire), x.smoke(3, gbt26875.PartFire)))
		return data[:len(data)-20]
	}
	x := online(t)
	x.Send(x.frame(gbt26875.CommandSend, cut(x)))
	wants(t, "lenient: answers", x.heard(), "confirm 2")
	wants(t, "lenient: reports", kinds(x.said()), "event fire, property")
	x.Send(x.frame(gbt26875.CommandSend, []byte{2, 1, 9}))
	wants(t, "lenient: answers to nothing whole", x.heard(), "confirm 3")
	wants(t, "lenient: reports of nothing whole", x.said(), "raw 02020109")
	x.Send(x.frame(gbt26875.CommandSend, []byte{2}))
	wants(t, "lenient: one byte", x.said(), "raw 0202")

	x = online(t, func(c *Config) { c.Mode = modeStrict })
	bad := x.frame(gbt26875.CommandSend, cut(x))
	x.Send(bad)
	x.Send(bad)
	wants(t, "strict: answers", x.heard(), "deny 2, deny 2")
	wants(t, "strict: reports", kinds(x.said())[:6], "raw 02")
	if s := x.stats(); s.Malformed != 1 || s.Repeated != 1 {
		t.Errorf("%+v", s)
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	x := online(t)
	x.Send(x.frame(gbt26875.CommandSend, []byte{200, 1, 0xAB}))
	x.Send(x.frame(gbt26875.CommandSend, []byte{22, 1, 0xAB}))
	x.Send(x.frame(gbt26875.CommandSend, []byte{81, 1, 0})) // a centre's
	x.Send(x.frame(gbt26875.Command(130), []byte{1, 2}))
	x.Send(x.frame(gbt26875.CommandRequest, []byte{90, 1, 0}))
	wants(t, "answers", x.heard(), "confirm 2, confirm 3, confirm 4, deny 6")
	wants(t, "reports", x.said(), "raw 02c801ab\nraw 021601ab\nraw 02510100\nraw 820102\nraw 045a0100")
	x = online(t, func(c *Config) { c.Unknown = unknownDeny })
	x.Send(x.frame(gbt26875.CommandSend, []byte{200, 1, 0xAB}))
	wants(t, "answers", x.heard(), "deny 2")
	wants(t, "reports", x.said(), "raw 02c801ab")
}
