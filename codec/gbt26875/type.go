package gbt26875

import "strconv"

// Type is what the objects of application data are (GB/T 26875.3-2011). Values from 128 to 254 are a maker's own.
type Type uint8

// Types that go up, from the device to the centre.
const (
	TypeSystemState     Type = 1
	TypePartState       Type = 2
	TypePartAnalog      Type = 3
	TypeSystemOperation Type = 4
	TypeSystemSoftware  Type = 5
	TypeSystemConfig    Type = 6
	TypePartConfig      Type = 7
	TypeSystemTime      Type = 8
	TypeDeviceState     Type = 21
	TypeDeviceOperation Type = 24
	TypeDeviceSoftware  Type = 25
	TypeDeviceConfig    Type = 26
	TypeDeviceTime      Type = 28
)

// Types that go down, from the centre to the device.
const (
	TypeReadSystemState      Type = 61
	TypeReadPartState        Type = 62
	TypeReadPartAnalog       Type = 63
	TypeReadSystemOperations Type = 64
	TypeReadSystemSoftware   Type = 65
	TypeReadSystemConfig     Type = 66
	TypeReadPartConfig       Type = 67
	TypeReadSystemTime       Type = 68
	TypeReadDeviceState      Type = 81
	TypeReadDeviceOperations Type = 84
	TypeReadDeviceSoftware   Type = 85
	TypeReadDeviceConfig     Type = 86
	TypeReadDeviceTime       Type = 88
	TypeInitDevice           Type = 89
	TypeSetClock             Type = 90
	TypeCheckPost            Type = 91
)

// typeInfo is what is fixed about a type.
type typeInfo struct {
	name    string
	size    int     // of an object in bytes; of the smallest where it varies
	varies  bool    // whether it does
	most    int     // objects in one frame
	command Command // that takes it there, from the centre; 0: it goes up
	answer  Type    // of a request: what it is answered with
}

var typeInfos = [128]typeInfo{
	TypeSystemState:     {name: "system state", size: 10, most: 102},
	TypePartState:       {name: "part state", size: 46, most: 22},
	TypePartAnalog:      {name: "part analog value", size: 16, most: 63},
	TypeSystemOperation: {name: "system operation", size: 10, most: 102},
	TypeSystemSoftware:  {name: "system software version", size: 4, most: 255},
	TypeSystemConfig:    {name: "system configuration", size: 3, varies: true, most: 3},
	TypePartConfig:      {name: "part configuration", size: 38, most: 26},
	TypeSystemTime:      {name: "system time", size: 8, most: 1},
	TypeDeviceState:     {name: "device state", size: 7, most: 1},
	TypeDeviceOperation: {name: "device operation", size: 8, most: 127},
	TypeDeviceSoftware:  {name: "device software version", size: 2, most: 1},
	TypeDeviceConfig:    {name: "device configuration", size: 1, varies: true, most: 1},
	TypeDeviceTime:      {name: "device time", size: 6, most: 1},

	TypeReadSystemState:      {name: "read system state", size: 2, most: 102, command: CommandRequest, answer: TypeSystemState},
	TypeReadPartState:        {name: "read part state", size: 6, most: 22, command: CommandRequest, answer: TypePartState},
	TypeReadPartAnalog:       {name: "read part analog value", size: 6, most: 63, command: CommandRequest, answer: TypePartAnalog},
	TypeReadSystemOperations: {name: "read system operations", size: 9, most: 1, command: CommandRequest, answer: TypeSystemOperation},
	TypeReadSystemSoftware:   {name: "read system software version", size: 2, most: 1, command: CommandRequest, answer: TypeSystemSoftware},
	TypeReadSystemConfig:     {name: "read system configuration", size: 2, most: 3, command: CommandRequest, answer: TypeSystemConfig},
	TypeReadPartConfig:       {name: "read part configuration", size: 6, most: 26, command: CommandRequest, answer: TypePartConfig},
	TypeReadSystemTime:       {name: "read system time", size: 2, most: 1, command: CommandRequest, answer: TypeSystemTime},
	TypeReadDeviceState:      {name: "read device state", size: 1, most: 1, command: CommandRequest, answer: TypeDeviceState},
	TypeReadDeviceOperations: {name: "read device operations", size: 7, most: 1, command: CommandRequest, answer: TypeDeviceOperation},
	TypeReadDeviceSoftware:   {name: "read device software version", size: 1, most: 1, command: CommandRequest, answer: TypeDeviceSoftware},
	TypeReadDeviceConfig:     {name: "read device configuration", size: 1, most: 1, command: CommandRequest, answer: TypeDeviceConfig},
	TypeReadDeviceTime:       {name: "read device time", size: 1, most: 1, command: CommandRequest, answer: TypeDeviceTime},
	TypeInitDevice:           {name: "initialise device", size: 1, most: 1, command: CommandControl},
	TypeSetClock:             {name: "set clock", size: 6, most: 1, command: CommandControl},
	TypeCheckPost:            {name: "check post", size: 1, most: 1, command: CommandControl},
}

func (t Type) info() typeInfo {
	if int(t) < len(typeInfos) {
		return typeInfos[t]
	}
	return typeInfo{}
}

// Known says whether the standard says what objects of the type are.
func (t Type) Known() bool { return t.info().name != "" }

// Up says whether the type is one that devices send.
func (t Type) Up() bool { return t.Known() && t.info().command == 0 }

// Command is the command with which a centre sends data of the type: a control
// or a request; 0 if the type does not go down.
func (t Type) Command() Command { return t.info().command }

// Answer is the type of the data with which a device answers a request of type
// t; 0 if t is no request.
func (t Type) Answer() Type { return t.info().answer }

// MaxObjects is how many objects of the type the standard allows in one frame; 0
// if it does not know the type.
func (t Type) MaxObjects() int { return t.info().most }

// Name is what the type is, "part state"; empty if the standard does not say.
func (t Type) Name() string { return t.info().name }

// String is the type's number.
func (t Type) String() string { return strconv.Itoa(int(t)) }
