package modbus

import "fmt"

// Exception is the code with which a slave refuses a request (MODBUS
// Application Protocol V1.1b3, section 7). 0 is none.
type Exception uint8

// The exception codes of the standard; 7 is one of older Modicon documents.
const (
	IllegalFunction        Exception = 0x01
	IllegalDataAddress     Exception = 0x02
	IllegalDataValue       Exception = 0x03
	ServerDeviceFailure    Exception = 0x04
	Acknowledge            Exception = 0x05 // it will take long
	ServerDeviceBusy       Exception = 0x06
	NegativeAcknowledge    Exception = 0x07
	MemoryParityError      Exception = 0x08
	GatewayPathUnavailable Exception = 0x0a
	GatewayTargetFailed    Exception = 0x0b // the device behind the gateway did not answer
)

var exceptionNames = [...]string{
	IllegalFunction:        "illegal function",
	IllegalDataAddress:     "illegal data address",
	IllegalDataValue:       "illegal data value",
	ServerDeviceFailure:    "server device failure",
	Acknowledge:            "acknowledge",
	ServerDeviceBusy:       "server device busy",
	NegativeAcknowledge:    "negative acknowledge",
	MemoryParityError:      "memory parity error",
	GatewayPathUnavailable: "gateway path unavailable",
	GatewayTargetFailed:    "gateway target device failed to respond",
}

// String is the exception's name in the standard, or "exception 9" when it has
// none.
func (e Exception) String() string {
	if int(e) < len(exceptionNames) && exceptionNames[e] != "" {
		return exceptionNames[e]
	}
	return fmt.Sprintf("exception %d", uint8(e))
}

// Temporary says whether the same request may succeed a little later: the slave
// acknowledged but is not done, is busy, or did not answer its gateway. The
// other exceptions come again.
func (e Exception) Temporary() bool {
	return e == Acknowledge || e == ServerDeviceBusy || e == GatewayTargetFailed
}

// ExceptionError is a slave's refusal of a request. See [Exception.Temporary]
// for whether to try again.
type ExceptionError struct {
	Unit      uint8
	Function  Function // of the request
	Exception Exception
}

func (e *ExceptionError) Error() string {
	return fmt.Sprintf("modbus: unit %d refused to %s: exception %d, %s", e.Unit, e.Function, uint8(e.Exception), e.Exception)
}
