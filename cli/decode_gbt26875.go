package cli

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/gbt26875"
)

// errUnfinishedGBT26875 and errNoGBT26875 are streams that end inside a frame, and
// streams without any.
var (
	errUnfinishedGBT26875 = errors.New("the stream ends inside a frame: its length says that more is to come")
	errNoGBT26875         = errors.New("no frame: these bytes hold no start marker 40 40 (@@)")
)

func newGBT26875Decoder() streamDecoder {
	return func(stream []byte) []decoded {
		frames := gbt26875.NewDecoder(gbt26875.DefaultOptions())
		var all []decoded
		rest := stream
		for len(rest) > 0 {
			frame, n, err := frames.Decode(rest)
			used := rest[:n]
			rest = rest[n:]
			if err == codec.ErrIncomplete {
				break
			}
			if err != nil {
				all = append(all, failed(err, used))
				continue
			}
			all = append(all, decodeGBT26875(frame))
		}
		switch {
		case len(rest) > 0:
			all = append(all, failed(errUnfinishedGBT26875, rest))
		case len(all) == 0:
			all = append(all, failed(errNoGBT26875, stream))
		}
		return all
	}
}

// decodeGBT26875 is one frame's envelope. Of data that does not fit its count what
// there is is shown, with what is wrong about it.
func decodeGBT26875(f *gbt26875.Frame) decoded {
	serial := int(f.Serial)
	d := decoded{
		OK: true, Protocol: "gbt26875", Version: fmt.Sprintf("%d.%d", f.Version.Main, f.Version.User), ID: f.Command.String(),
		Serial: &serial, Source: f.Source.String(), Target: f.Destination.String(), Time: f.Time.String(),
	}
	if len(f.Data) == 0 {
		return d
	}
	if len(f.Data) == 1 { // a private heartbeat: no type and count
		d.Body = map[string]string{"data": hex.EncodeToString(f.Data)}
		return d
	}
	u, err := f.Parse()
	d.Name, d.Body = u.Type().Name(), u
	if d.Name == "" {
		d.Name = "type " + u.Type().String()
	}
	var count *gbt26875.CountError
	if err != nil && !errors.As(err, &count) {
		return failed(err, f.Data)
	}
	if err != nil {
		d.Error = err.Error()
	}
	return d
}
