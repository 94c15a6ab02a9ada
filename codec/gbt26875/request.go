package gbt26875

// ReadSystem asks for the state (61), software version (65), configuration (66)
// or time (68) of systems.
type ReadSystem struct {
	Query   Type     `json:"-"`
	Objects []System `json:"objects"` // one, for 65 and 68
}

// Type is u.Query.
func (u *ReadSystem) Type() Type { return u.Query }

// AppendUnit implements Unit.
func (u *ReadSystem) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, u.Query, u.Objects)
}

// ParseUnit implements Unit, for the types that it is for.
func (u *ReadSystem) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(u.Query, u.Objects, data)
	return err
}

func (s *System) append(dst []byte) []byte { return s.put(dst) }

func (s *System) parse(in []byte) int {
	s.take(in)
	return len(in)
}

// ReadPart asks for the states (62), values (63) or configuration (67) of parts
// .
type ReadPart struct {
	Query   Type       `json:"-"`
	Objects []PartName `json:"objects"`
}

// PartName says which part is asked for. Unlike in answers there is no type of
// part in it.
type PartName struct {
	System
	Address PartAddress `json:"part_address"`
}

// Type is u.Query.
func (u *ReadPart) Type() Type { return u.Query }

// AppendUnit implements Unit.
func (u *ReadPart) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, u.Query, u.Objects)
}

// ParseUnit implements Unit, for the types that it is for.
func (u *ReadPart) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(u.Query, u.Objects, data)
	return err
}

func (p *PartName) append(dst []byte) []byte {
	return append(p.put(dst), p.Address[:]...)
}

func (p *PartName) parse(in []byte) int {
	p.take(in)
	p.Address = PartAddress(in[systemLen:])
	return len(in)
}

// MaxOperations is how many records can be asked for at once.
const MaxOperations = 102

// ReadSystemOperations is type 64: tell what was done at a system.
type ReadSystemOperations struct {
	Objects []SystemOperationQuery `json:"objects"` // one, by the standard
}

// SystemOperationQuery says which records of a system are asked for.
type SystemOperationQuery struct {
	System
	Number uint8 `json:"number"` // of records, at most MaxOperations
	Start  Time  `json:"start"`  // of the first
}

// Type is TypeReadSystemOperations.
func (*ReadSystemOperations) Type() Type { return TypeReadSystemOperations }

// AppendUnit implements Unit.
func (u *ReadSystemOperations) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeReadSystemOperations, u.Objects)
}

// ParseUnit implements Unit.
func (u *ReadSystemOperations) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeReadSystemOperations, u.Objects, data)
	return err
}

func (o *SystemOperationQuery) append(dst []byte) []byte {
	return append(append(o.put(dst), o.Number), o.Start[:]...)
}

func (o *SystemOperationQuery) parse(in []byte) int {
	o.take(in)
	o.Number, o.Start = in[systemLen], Time(in[systemLen+1:])
	return len(in)
}

// ReadDevice asks for the device's own state (81), software version (85),
// configuration (86) or time (88), or has it initialise itself (89).
type ReadDevice struct {
	Query   Type       `json:"-"`
	Objects []Reserved `json:"objects"` // one, by the standard
}

// NewReadDevice is that request with its one object.
func NewReadDevice(query Type) *ReadDevice {
	return &ReadDevice{Query: query, Objects: make([]Reserved, 1)}
}

// Reserved is an object of one byte without a meaning, 0.
type Reserved struct {
	Value uint8 `json:"reserved"`
}

// Type is u.Query.
func (u *ReadDevice) Type() Type { return u.Query }

// AppendUnit implements Unit.
func (u *ReadDevice) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, u.Query, u.Objects)
}

// ParseUnit implements Unit, for the types that it is for.
func (u *ReadDevice) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(u.Query, u.Objects, data)
	return err
}

func (o *Reserved) append(dst []byte) []byte { return append(dst, o.Value) }

func (o *Reserved) parse(in []byte) int {
	o.Value = in[0]
	return len(in)
}

// ReadDeviceOperations is type 84: tell what was done at the device.
type ReadDeviceOperations struct {
	Objects []DeviceOperationQuery `json:"objects"` // one, by the standard
}

// DeviceOperationQuery says which records of the device are asked for.
type DeviceOperationQuery struct {
	Number uint8 `json:"number"` // of records, at most MaxOperations
	Start  Time  `json:"start"`  // of the first
}

// Type is TypeReadDeviceOperations.
func (*ReadDeviceOperations) Type() Type { return TypeReadDeviceOperations }

// AppendUnit implements Unit.
func (u *ReadDeviceOperations) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeReadDeviceOperations, u.Objects)
}

// ParseUnit implements Unit.
func (u *ReadDeviceOperations) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeReadDeviceOperations, u.Objects, data)
	return err
}

func (o *DeviceOperationQuery) append(dst []byte) []byte {
	return append(append(dst, o.Number), o.Start[:]...)
}

func (o *DeviceOperationQuery) parse(in []byte) int {
	o.Number, o.Start = in[0], Time(in[1:])
	return len(in)
}

// SetClock is type 90: set the device's clock.
type SetClock struct {
	Objects []DeviceTime `json:"objects"` // one, by the standard
}

// NewSetClock is that control with its one object.
func NewSetClock(t Time) *SetClock { return &SetClock{Objects: []DeviceTime{{t}}} }

// Type is TypeSetClock.
func (*SetClock) Type() Type { return TypeSetClock }

// AppendUnit implements Unit.
func (u *SetClock) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeSetClock, u.Objects)
}

// ParseUnit implements Unit.
func (u *SetClock) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeSetClock, u.Objects, data)
	return err
}

// CheckPost is type 91: see whether somebody is at the post. Who is has
// to press a button at the device, which then sends a [DeviceOperations] with
// OperationPostAnswer.
type CheckPost struct {
	Objects []PostCheck `json:"objects"` // one, by the standard
}

// PostCheck is how long there is to answer.
type PostCheck struct {
	Minutes uint8 `json:"minutes"`
}

// Type is TypeCheckPost.
func (*CheckPost) Type() Type { return TypeCheckPost }

// AppendUnit implements Unit.
func (u *CheckPost) AppendUnit(dst []byte) ([]byte, error) {
	return appendObjects(dst, TypeCheckPost, u.Objects)
}

// ParseUnit implements Unit.
func (u *CheckPost) ParseUnit(data []byte) (err error) {
	u.Objects, err = parseObjects(TypeCheckPost, u.Objects, data)
	return err
}

func (o *PostCheck) append(dst []byte) []byte { return append(dst, o.Minutes) }

func (o *PostCheck) parse(in []byte) int {
	o.Minutes = in[0]
	return len(in)
}
