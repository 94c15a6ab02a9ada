package gbt26875

import "encoding/binary"

// System is one system behind a device.
type System struct {
	Type    SystemType `json:"system_type"`
	Address uint8      `json:"system_address"` // tells systems of one type apart
}

func (s *System) put(dst []byte) []byte { return append(dst, byte(s.Type), s.Address) }

func (s *System) take(in []byte) { s.Type, s.Address = SystemType(in[0]), in[1] }

const systemLen = 2

// SystemStates is type 1: what state systems are in. Devices send it when
// a state changes, and when they are asked (61).
type SystemStates struct {
	Objects []SystemState `json:"objects"`
}

// SystemState is the state of one system.
type SystemState struct {
	System
	State SystemBits `json:"state"`
	Time  Time       `json:"time"` // of the change
}

// Type is TypeSystemState.
func (*SystemStates) Type() Type { return TypeSystemState }

// AppendUnit implements Unit.
func (u *SystemStates) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeSystemState, u.Objects)
}

// ParseUnit implements Unit.
func (u *SystemStates) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeSystemState, u.Objects, data)
	return err
}

func (o *SystemState) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(o.put(dst), uint16(o.State))
	return append(dst, o.Time[:]...)
}

func (o *SystemState) parse(in []byte) int {
	o.take(in)
	o.State = SystemBits(binary.LittleEndian.Uint16(in[2:]))
	o.Time = Time(in[4:10])
	return len(in)
}

// SystemOperations is type 4: what somebody did at systems.
type SystemOperations struct {
	Objects []SystemOperation `json:"objects"`
}

// SystemOperation is what one person did at one system.
type SystemOperation struct {
	System
	Operation OperationBits `json:"operation"`
	Operator  uint8         `json:"operator"` // number of the person
	Time      Time          `json:"time"`
}

// Type is TypeSystemOperation.
func (*SystemOperations) Type() Type { return TypeSystemOperation }

// AppendUnit implements Unit.
func (u *SystemOperations) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeSystemOperation, u.Objects)
}

// ParseUnit implements Unit.
func (u *SystemOperations) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeSystemOperation, u.Objects, data)
	return err
}

func (o *SystemOperation) append(dst []byte) []byte {
	dst = append(o.put(dst), byte(o.Operation), o.Operator)
	return append(dst, o.Time[:]...)
}

func (o *SystemOperation) parse(in []byte) int {
	o.take(in)
	o.Operation, o.Operator = OperationBits(in[2]), in[3]
	o.Time = Time(in[4:10])
	return len(in)
}

// SystemSoftwares is type 5: the versions of systems' software.
type SystemSoftwares struct {
	Objects []SystemSoftware `json:"objects"`
}

// SystemSoftware is the version of one system's software.
type SystemSoftware struct {
	System
	Major uint8 `json:"major"`
	Minor uint8 `json:"minor"`
}

// Type is TypeSystemSoftware.
func (*SystemSoftwares) Type() Type { return TypeSystemSoftware }

// AppendUnit implements Unit.
func (u *SystemSoftwares) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeSystemSoftware, u.Objects)
}

// ParseUnit implements Unit.
func (u *SystemSoftwares) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeSystemSoftware, u.Objects, data)
	return err
}

func (o *SystemSoftware) append(dst []byte) []byte {
	return append(o.put(dst), o.Major, o.Minor)
}

func (o *SystemSoftware) parse(in []byte) int {
	o.take(in)
	o.Major, o.Minor = in[2], in[3]
	return len(in)
}

// SystemConfigs is type 6: what systems say of their configuration.
type SystemConfigs struct {
	Objects []SystemConfig `json:"objects"`
}

// SystemConfig is the configuration of one system, a text.
type SystemConfig struct {
	System
	Text Text `json:"text"` // at most 255 bytes
}

// Type is TypeSystemConfig.
func (*SystemConfigs) Type() Type { return TypeSystemConfig }

// AppendUnit implements Unit.
func (u *SystemConfigs) AppendUnit(dst []byte) ([]byte, error) {
	for i := range u.Objects {
		if err := u.Objects[i].Text.fits(); err != nil {
			return dst, err
		}
	}
	return appendObjects(dst, TypeSystemConfig, u.Objects)
}

// ParseUnit implements Unit.
func (u *SystemConfigs) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeSystemConfig, u.Objects, data)
	return err
}

func (o *SystemConfig) append(dst []byte) []byte { return appendText8(o.put(dst), o.Text) }

func (o *SystemConfig) parse(in []byte) int {
	o.take(in)
	if n := parseText8(&o.Text, in[systemLen:]); n > 0 {
		return systemLen + n
	}
	return 0
}

// appendText8 appends a text, of at most 255 bytes, with its length before it in
// one byte.
func appendText8(dst []byte, t Text) []byte {
	return append(append(dst, byte(len(t))), t...)
}

// fits is the error of a text that does not fit its field.
func (t Text) fits() error {
	if len(t) > 0xFF {
		return tooLong("text", len(t), 0xFF)
	}
	return nil
}

// parseText8 reads a text with its length before it and says how many bytes that
// was, 0 when it is not whole.
func parseText8(t *Text, in []byte) int {
	n := 1 + int(in[0])
	if n > len(in) {
		return 0
	}
	*t = append(Text{}, in[1:n]...)
	return n
}

// SystemTimes is type 8: what systems' clocks show.
type SystemTimes struct {
	Objects []SystemTime `json:"objects"`
}

// SystemTime is what the clock of one system shows.
type SystemTime struct {
	System
	Time Time `json:"time"`
}

// Type is TypeSystemTime.
func (*SystemTimes) Type() Type { return TypeSystemTime }

// AppendUnit implements Unit.
func (u *SystemTimes) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeSystemTime, u.Objects)
}

// ParseUnit implements Unit.
func (u *SystemTimes) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeSystemTime, u.Objects, data)
	return err
}

func (o *SystemTime) append(dst []byte) []byte {
	return append(o.put(dst), o.Time[:]...)
}

func (o *SystemTime) parse(in []byte) int {
	o.take(in)
	o.Time = Time(in[2:8])
	return len(in)
}
