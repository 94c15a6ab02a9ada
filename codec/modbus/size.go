package modbus

// How long a PDU is follows from its first bytes. On a serial line the end of a
// frame is a pause, which a TCP connection does not keep; there the size is all
// there is.
//
//	function                 request             normal response
//	01 02 03 04              5                   2 + byte 1
//	05 06                    5                   5
//	07                       1                   2
//	08                       5                   5
//	0B                       1                   5
//	0C 11                    1                   2 + byte 1
//	0F 10                    6 + byte 5          5
//	14 15                    2 + byte 1          2 + byte 1
//	16                       7                   7
//	17                       10 + byte 9         2 + byte 1
//	18                       3                   3 + word at 1
//	2B 0E                    4                   7 + 2 and a length for each object
//	80 + function            -                   2

// requestSize is how many bytes the request's PDU has that begins with pdu; as
// long as pdu is too short to tell, a size greater than len(pdu) that it has at
// least; 0 when no rule says. ok is whether a request may begin so. pdu is not
// empty.
func requestSize(pdu []byte) (size int, ok bool) {
	switch f := Function(pdu[0]); f {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters, WriteSingleCoil, WriteSingleRegister, Diagnostics:
		return 5, true
	case ReadExceptionStatus, GetCommEventCounter, GetCommEventLog, ReportServerID:
		return 1, true
	case WriteMultipleCoils, WriteMultipleRegisters:
		return counted(pdu, 5, 1, MaxPDU-6)
	case ReadFileRecord, WriteFileRecord:
		return counted(pdu, 1, 7, MaxPDU-2)
	case MaskWriteRegister:
		return 7, true
	case ReadWriteMultipleRegisters:
		return counted(pdu, 9, 2, MaxPDU-10)
	case ReadFIFOQueue:
		return 3, true
	case EncapsulatedInterface:
		return encapsulatedRequestSize(pdu)
	default:
		return 0, f.valid()
	}
}

// fits is whether a whole PDU has the size that its front tells. A diagnostic
// echo, sub-function 0, may have more than one word to return.
func fits(pdu []byte, size int) bool {
	return size == 0 || size == len(pdu) ||
		Function(pdu[0]) == Diagnostics && len(pdu) > size && len(pdu)%2 == 1 && pdu[1] == 0 && pdu[2] == 0
}

func encapsulatedRequestSize(pdu []byte) (size int, ok bool) {
	switch {
	case len(pdu) < 2:
		return 2, true
	case pdu[1] == ReadDeviceIdentification:
		return 4, true
	}
	return 0, true
}

// counted is the size of a PDU whose byte at position at says how many more
// bytes follow it.
func counted(pdu []byte, at, least, most int) (size int, ok bool) {
	if len(pdu) <= at {
		return at + 1, true
	}
	n := int(pdu[at])
	return at + 1 + n, n >= least && n <= most
}

// responseSize is requestSize for responses, exceptions included.
func responseSize(pdu []byte) (size int, ok bool) {
	if pdu[0] > exceptionFlag {
		return 2, true
	}
	switch f := Function(pdu[0]); f {
	case ReadCoils, ReadDiscreteInputs:
		return counted(pdu, 1, 1, MaxReadBits/8)
	case ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters:
		size, ok = counted(pdu, 1, 2, 2*MaxReadRegisters)
		return size, ok && size%2 == 0
	case WriteSingleCoil, WriteSingleRegister, Diagnostics, GetCommEventCounter, WriteMultipleCoils, WriteMultipleRegisters:
		return 5, true
	case ReadExceptionStatus:
		return 2, true
	case GetCommEventLog, ReportServerID, ReadFileRecord, WriteFileRecord:
		return counted(pdu, 1, 1, MaxPDU-2)
	case MaskWriteRegister:
		return 7, true
	case ReadFIFOQueue:
		if len(pdu) < 3 {
			return 3, true
		}
		n := int(pdu[1])<<8 | int(pdu[2])
		return 3 + n, n >= 2 && n <= 2+2*31
	case EncapsulatedInterface:
		return identificationSize(pdu)
	default:
		return 0, f.valid()
	}
}

// identificationSize is the size of a response to read device identification.
func identificationSize(pdu []byte) (size int, ok bool) {
	switch {
	case len(pdu) < 2:
		return 2, true
	case pdu[1] != ReadDeviceIdentification:
		return 0, true
	case len(pdu) < identificationHeader:
		return identificationHeader, true
	}
	size = identificationHeader
	for range pdu[6] {
		if len(pdu) < size+2 {
			return size + 2, size+2 <= MaxPDU
		}
		size += 2 + int(pdu[size+1])
	}
	return size, size <= MaxPDU
}

// identificationHeader is what stands before the objects of an identification.
const identificationHeader = 7
