package minimal

import (
	"errors"
	"testing"

	"github.com/linkspan/linkspan/protocol/protocoltest"
)

func TestReadings(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, Plugin, nil)
	d.Send([]byte("boiler 61.5\nnonsense\nboiler 62\n"))
	if len(d.Online) != 1 || d.Online[0].Identity != "boiler" {
		t.Fatalf("online: %+v", d.Online)
	}
	if len(d.Said) != 2 || d.Said[1].Fields[0].Value.String() != "62" {
		t.Errorf("said: %+v", d.Said)
	}
	if len(d.Faults) != 1 {
		t.Errorf("faults: %+v, want the line of nonsense", d.Faults)
	}
}

func TestARefusedDeviceIsSentAway(t *testing.T) {
	t.Parallel()
	d := protocoltest.Connect(t, Plugin, nil)
	d.Refuse = errUnknown
	d.Send([]byte("stranger 1\nstranger 2\n"))
	if !d.Closed || len(d.Said) != 0 {
		t.Errorf("closed %t, said %+v", d.Closed, d.Said)
	}
}

var errUnknown = errors.New("unknown device")
