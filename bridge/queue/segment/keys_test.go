package segment

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	keyA = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keyB = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8="
)

func mendHeader(h []byte) {
	binary.LittleEndian.PutUint32(h[124:], crc32.Checksum(h[:124], castagnoli))
}
