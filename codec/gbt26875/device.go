package gbt26875

// DeviceStates is type 21: the state of the device itself. Many devices
// also send it every 20 to 30 seconds as a heartbeat, for which the standard has
// nothing.
type DeviceStates struct {
	Objects []DeviceState `json:"objects"` // one, by the standard
}

// DeviceState is the state of the device.
type DeviceState struct {
	State DeviceBits `json:"state"`
	Time  Time       `json:"time"`
}

// Type is TypeDeviceState.
func (*DeviceStates) Type() Type { return TypeDeviceState }

// AppendUnit implements Unit.
func (u *DeviceStates) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeDeviceState, u.Objects)
}

// ParseUnit implements Unit.
func (u *DeviceStates) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeDeviceState, u.Objects, data)
	return err
}

func (o *DeviceState) append(dst []byte) []byte {
	return append(append(dst, byte(o.State)), o.Time[:]...)
}

func (o *DeviceState) parse(in []byte) int {
	o.State, o.Time = DeviceBits(in[0]), Time(in[1:])
	return len(in)
}

// DeviceOperations is type 24: what somebody did at the device. One
// with OperationPostAnswer answers [CheckPost].
type DeviceOperations struct {
	Objects []DeviceOperation `json:"objects"`
}

// DeviceOperation is what one person did at the device.
type DeviceOperation struct {
	Operation OperationBits `json:"operation"`
	Operator  uint8         `json:"operator"` // number of the person
	Time      Time          `json:"time"`
}

// Type is TypeDeviceOperation.
func (*DeviceOperations) Type() Type { return TypeDeviceOperation }

// AppendUnit implements Unit.
func (u *DeviceOperations) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeDeviceOperation, u.Objects)
}

// ParseUnit implements Unit.
func (u *DeviceOperations) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeDeviceOperation, u.Objects, data)
	return err
}

func (o *DeviceOperation) append(dst []byte) []byte {
	return append(append(dst, byte(o.Operation), o.Operator), o.Time[:]...)
}

func (o *DeviceOperation) parse(in []byte) int {
	o.Operation, o.Operator, o.Time = OperationBits(in[0]), in[1], Time(in[2:])
	return len(in)
}

// DeviceSoftwares is type 25: the version of the device's software.
type DeviceSoftwares struct {
	Objects []DeviceSoftware `json:"objects"` // one, by the standard
}

// DeviceSoftware is the version of the device's software.
type DeviceSoftware struct {
	Major uint8 `json:"major"`
	Minor uint8 `json:"minor"`
}

// Type is TypeDeviceSoftware.
func (*DeviceSoftwares) Type() Type { return TypeDeviceSoftware }

// AppendUnit implements Unit.
func (u *DeviceSoftwares) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeDeviceSoftware, u.Objects)
}

// ParseUnit implements Unit.
func (u *DeviceSoftwares) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeDeviceSoftware, u.Objects, data)
	return err
}

func (o *DeviceSoftware) append(dst []byte) []byte {
	return append(dst, o.Major, o.Minor)
}

func (o *DeviceSoftware) parse(in []byte) int {
	o.Major, o.Minor = in[0], in[1]
	return len(in)
}

// DeviceConfigs is type 26: what the device says of its configuration.
type DeviceConfigs struct {
	Objects []DeviceConfig `json:"objects"` // one, by the standard
}

// DeviceConfig is the configuration of the device, a text.
type DeviceConfig struct {
	Text Text `json:"text"` // at most 255 bytes
}

// Type is TypeDeviceConfig.
func (*DeviceConfigs) Type() Type { return TypeDeviceConfig }

// AppendUnit implements Unit.
func (u *DeviceConfigs) AppendUnit(dst []byte) ([]byte, error) {
	for i := range u.Objects {
		if err := u.Objects[i].Text.fits(); err != nil {
			return dst, err
		}
	}
	return appendObjects(dst, TypeDeviceConfig, u.Objects)
}

// ParseUnit implements Unit.
func (u *DeviceConfigs) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeDeviceConfig, u.Objects, data)
	return err
}

func (o *DeviceConfig) append(dst []byte) []byte { return appendText8(dst, o.Text) }

func (o *DeviceConfig) parse(in []byte) int { return parseText8(&o.Text, in) }

// DeviceTimes is type 28: what the device's clock shows.
type DeviceTimes struct {
	Objects []DeviceTime `json:"objects"` // one, by the standard
}

// DeviceTime is what the device's clock shows.
type DeviceTime struct {
	Time Time `json:"time"`
}

// Type is TypeDeviceTime.
func (*DeviceTimes) Type() Type { return TypeDeviceTime }

// AppendUnit implements Unit.
func (u *DeviceTimes) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeDeviceTime, u.Objects)
}

// ParseUnit implements Unit.
func (u *DeviceTimes) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeDeviceTime, u.Objects, data)
	return err
}

func (o *DeviceTime) append(dst []byte) []byte { return append(dst, o.Time[:]...) }

func (o *DeviceTime) parse(in []byte) int {
	o.Time = Time(in)
	return len(in)
}
