package modbus

import "fmt"

// Function is a function code (MODBUS Application Protocol V1.1b3, section 5).
type Function uint8

// The functions that this package knows. The fields of [Request] and [Response]
// describe all up to [ReadDeviceIdentification] but the ones marked raw, whose
// bytes are in Data.
const (
	ReadCoils                  Function = 0x01 // up to 2000 coils
	ReadDiscreteInputs         Function = 0x02 // up to 2000 inputs
	ReadHoldingRegisters       Function = 0x03 // up to 125 registers
	ReadInputRegisters         Function = 0x04 // up to 125 registers
	WriteSingleCoil            Function = 0x05
	WriteSingleRegister        Function = 0x06
	ReadExceptionStatus        Function = 0x07 // raw
	Diagnostics                Function = 0x08 // raw
	GetCommEventCounter        Function = 0x0b // raw
	GetCommEventLog            Function = 0x0c // raw
	WriteMultipleCoils         Function = 0x0f // up to 1968 coils
	WriteMultipleRegisters     Function = 0x10 // up to 123 registers
	ReportServerID             Function = 0x11 // raw
	ReadFileRecord             Function = 0x14 // raw
	WriteFileRecord            Function = 0x15 // raw
	MaskWriteRegister          Function = 0x16 // register = (register AND and) OR (or AND NOT and)
	ReadWriteMultipleRegisters Function = 0x17 // writes up to 121, then reads up to 125
	ReadFIFOQueue              Function = 0x18 // raw
	EncapsulatedInterface      Function = 0x2b // with MEI type 14: read device identification; others raw
)

// ReadDeviceIdentification is the MEI type of [EncapsulatedInterface] that
// reads vendor, product code and other texts of a device (section 6.21).
const ReadDeviceIdentification = 0x0e

// Limits of one request (section 6).
const (
	MaxReadBits           = 2000 // coils or inputs
	MaxReadRegisters      = 125
	MaxWriteBits          = 1968
	MaxWriteRegisters     = 123
	MaxReadWriteRegisters = 121 // written by [ReadWriteMultipleRegisters]
)

// exceptionFlag is set in the function code of an exception response.
const exceptionFlag = 0x80

var functionNames = map[Function]string{
	ReadCoils:                  "read coils",
	ReadDiscreteInputs:         "read discrete inputs",
	ReadHoldingRegisters:       "read holding registers",
	ReadInputRegisters:         "read input registers",
	WriteSingleCoil:            "write single coil",
	WriteSingleRegister:        "write single register",
	ReadExceptionStatus:        "read exception status",
	Diagnostics:                "diagnostics",
	GetCommEventCounter:        "get comm event counter",
	GetCommEventLog:            "get comm event log",
	WriteMultipleCoils:         "write multiple coils",
	WriteMultipleRegisters:     "write multiple registers",
	ReportServerID:             "report server id",
	ReadFileRecord:             "read file record",
	WriteFileRecord:            "write file record",
	MaskWriteRegister:          "mask write register",
	ReadWriteMultipleRegisters: "read/write multiple registers",
	ReadFIFOQueue:              "read FIFO queue",
	EncapsulatedInterface:      "encapsulated interface transport",
}

// String is the function's name in the standard, or "function 65" when it has
// none.
func (f Function) String() string {
	if name, ok := functionNames[f]; ok {
		return name
	}
	return fmt.Sprintf("function %d", uint8(f))
}

// valid says whether f is the code of a request: 1 to 127.
func (f Function) valid() bool { return f != 0 && f < exceptionFlag }

// Writes says whether f changes something in the slave.
func (f Function) Writes() bool {
	switch f {
	case WriteSingleCoil, WriteSingleRegister, WriteMultipleCoils, WriteMultipleRegisters,
		MaskWriteRegister, ReadWriteMultipleRegisters, WriteFileRecord:
		return true
	default:
		return false
	}
}
