package modbus

// crcTable is the CRC of every byte: polynomial 8005, reflected.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i)
		for range 8 {
			odd := crc & 1
			crc >>= 1
			if odd != 0 {
				crc ^= 0xa001
			}
		}
		table[i] = crc
	}
	return table
}()

// CRC is the checksum of RTU frames (MODBUS over Serial Line V1.02, section
// 2.5.1.2): CRC-16 with the reflected polynomial A001, starting from FFFF. On
// the wire its low byte comes first.
func CRC(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc = crc>>8 ^ crcTable[byte(crc)^b]
	}
	return crc
}

// LRC is the checksum of ASCII frames (MODBUS over Serial Line V1.02, section
// 2.5.2.2): the two's complement of the sum of the bytes, before they are made
// characters.
func LRC(data []byte) byte {
	sum := byte(0)
	for _, b := range data {
		sum += b
	}
	return -sum
}
