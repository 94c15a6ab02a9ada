package queue

import (
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
)

// commandVersion is what the record of a command that waits for its device begins with.
// Behind it are 6 bytes of time, when it stops waiting, and a record in which the command
// stands as a message: its kind as the kind, its deadline as the time.
const commandVersion = 0x41

// AppendCommand appends the record of a command that waits until then for the device
// with that name of its own; [Decode] reads it. Times are kept to the millisecond, but
// for the command's deadline.
func AppendCommand(dst []byte, name string, device auth.Identity, stored, until time.Time, cmd *thing.Command) []byte {
	dst = append(dst, commandVersion)
	dst = appendMillis(dst, until)
	s := sender{name: name, product: device.ProductKey, device: device.DeviceName}
	return appendRecord(dst, 0, stored, &s, &thing.Message{
		Kind: thing.Kind(cmd.Kind), Name: cmd.Name, ID: cmd.ID, Time: cmd.Deadline,
		Fields: cmd.Fields, Raw: cmd.Raw, Topic: cmd.Topic,
	})
}

// commandOf is the command that stands in a record as m.
func commandOf(m *thing.Message) *thing.Command {
	return &thing.Command{
		ID: m.ID, Kind: thing.CommandKind(m.Kind), Name: m.Name, Fields: m.Fields, Raw: m.Raw, Topic: m.Topic, Deadline: m.Time,
	}
}
