package gbt26875

import (
	"encoding/json"
	"math/bits"
	"strconv"
)

// SystemBits are the states of a fire alarm system (GB/T 26875.3-2011). Bits above the constants are reserved.
type SystemBits uint16

// States of a system.
const (
	SystemNormal        SystemBits = 1 << 0 // runs normally; 0: is being tested
	SystemFire          SystemBits = 1 << 1
	SystemFault         SystemBits = 1 << 2
	SystemShielded      SystemBits = 1 << 3 // something is disabled
	SystemSupervised    SystemBits = 1 << 4 // a supervisory signal
	SystemStarted       SystemBits = 1 << 5 // equipment was started
	SystemFeedback      SystemBits = 1 << 6 // equipment says that it runs
	SystemDelayed       SystemBits = 1 << 7 // a start waits
	SystemMainsFault    SystemBits = 1 << 8
	SystemBackupFault   SystemBits = 1 << 9 // of the backup power supply
	SystemBusFault      SystemBits = 1 << 10
	SystemManual        SystemBits = 1 << 11 // 0: automatic
	SystemConfigChanged SystemBits = 1 << 12
	SystemReset         SystemBits = 1 << 13
)

// SystemFaults are the states of a system that are faults.
const SystemFaults = SystemFault | SystemMainsFault | SystemBackupFault | SystemBusFault

var systemBitNames = []string{
	"normal", "fire", "fault", "shielded", "supervised", "started", "feedback", "delayed",
	"mainsFault", "backupFault", "busFault", "manual", "configChanged", "reset",
}

// Has says whether all bits of b are set.
func (s SystemBits) Has(b SystemBits) bool { return s&b == b }

// Names are the names of the bits that are set, from bit 0: "normal", "fire";
// "bit15" for one that is reserved.
func (s SystemBits) Names() []string { return bitNames(uint16(s), systemBitNames) }

// MarshalJSON is [SystemBits.Names].
func (s SystemBits) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// PartBits are the states of a part.
type PartBits uint16

// States of a part.
const (
	PartNormal     PartBits = 1 << 0 // runs normally; 0: is being tested
	PartFire       PartBits = 1 << 1
	PartFault      PartBits = 1 << 2
	PartShielded   PartBits = 1 << 3 // disabled
	PartSupervised PartBits = 1 << 4 // a supervisory signal
	PartStarted    PartBits = 1 << 5
	PartFeedback   PartBits = 1 << 6 // it says that it runs
	PartDelayed    PartBits = 1 << 7 // its start waits
	PartPowerFault PartBits = 1 << 8
)

// PartFaults are the states of a part that are faults.
const PartFaults = PartFault | PartPowerFault

var partBitNames = []string{
	"normal", "fire", "fault", "shielded", "supervised", "started", "feedback", "delayed", "powerFault",
}

// Has says whether all bits of b are set.
func (s PartBits) Has(b PartBits) bool { return s&b == b }

// Names are the names of the bits that are set, from bit 0.
func (s PartBits) Names() []string { return bitNames(uint16(s), partBitNames) }

// MarshalJSON is [PartBits.Names].
func (s PartBits) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// DeviceBits are the states of a user information transmission device.
type DeviceBits uint8

// States of a device.
const (
	DeviceNormal      DeviceBits = 1 << 0 // runs normally; 0: is being tested
	DeviceFire        DeviceBits = 1 << 1
	DeviceFault       DeviceBits = 1 << 2
	DeviceMainsFault  DeviceBits = 1 << 3
	DeviceBackupFault DeviceBits = 1 << 4 // of the backup power supply
	DeviceLinkFault   DeviceBits = 1 << 5 // towards the centre
	DeviceLineFault   DeviceBits = 1 << 6 // towards the fire alarm system
)

// DeviceFaults are the states of a device that are faults.
const DeviceFaults = DeviceFault | DeviceMainsFault | DeviceBackupFault | DeviceLinkFault | DeviceLineFault

var deviceBitNames = []string{
	"normal", "fire", "fault", "mainsFault", "backupFault", "linkFault", "lineFault",
}

// Has says whether all bits of b are set.
func (s DeviceBits) Has(b DeviceBits) bool { return s&b == b }

// Names are the names of the bits that are set, from bit 0.
func (s DeviceBits) Names() []string { return bitNames(uint16(s), deviceBitNames) }

// MarshalJSON is [DeviceBits.Names].
func (s DeviceBits) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// OperationBits are what somebody did.
type OperationBits uint8

// Operations. The standard has other names for bits 4 and 5 where it is the
// device that was operated: OperationPostAnswer is that.
const (
	OperationReset      OperationBits = 1 << 0
	OperationSilence    OperationBits = 1 << 1
	OperationAlarm      OperationBits = 1 << 2 // raised by hand
	OperationCleared    OperationBits = 1 << 3 // an alarm was called off
	OperationSelfTest   OperationBits = 1 << 4
	OperationConfirm    OperationBits = 1 << 5 // of a system: an alarm was confirmed
	OperationPostAnswer OperationBits = 1 << 5 // of a device: somebody is at the post, answers TypeCheckPost
	OperationTest       OperationBits = 1 << 6
)

var (
	systemOperationNames = []string{"reset", "silence", "alarm", "cleared", "selfTest", "confirm", "test"}
	deviceOperationNames = []string{"reset", "silence", "alarm", "cleared", "selfTest", "postAnswer", "test"}
)

// Has says whether all bits of b are set.
func (o OperationBits) Has(b OperationBits) bool { return o&b == b }

// SystemNames are the names of the bits that are set, from bit 0, of a system.
func (o OperationBits) SystemNames() []string { return bitNames(uint16(o), systemOperationNames) }

// DeviceNames are the names of the bits that are set, from bit 0, of a device.
func (o OperationBits) DeviceNames() []string { return bitNames(uint16(o), deviceOperationNames) }

func bitNames(word uint16, names []string) []string {
	all := make([]string, 0, bits.OnesCount16(word))
	for ; word != 0; word &= word - 1 {
		bit := bits.TrailingZeros16(word)
		if bit < len(names) {
			all = append(all, names[bit])
		} else {
			all = append(all, "bit"+strconv.Itoa(bit))
		}
	}
	return all
}
