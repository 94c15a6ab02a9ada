package jt808

import "fmt"

// Frame is one message: header and body, unescaped, its check byte done with.
// One that a decoder returned is valid, body and all, until that decoder's next
// Decode: [Frame.Clone] keeps it.
type Frame struct {
	Header
	Body []byte `json:"body"`
}

// Clone is a copy that shares nothing with f.
func (f *Frame) Clone() *Frame {
	c := *f
	c.Body = append(make([]byte, 0, len(f.Body)), f.Body...)
	return &c
}

// Parse reads the body. It is [ParseBody] with the frame's id and version; a
// frame that is only one package of a message is an error: a [Reassembler] has
// to put it together first.
func (f *Frame) Parse() (Body, error) {
	if f.IsPackage() && f.Total > 1 {
		return nil, fmt.Errorf("jt808: body of %v: package %d of %d is not the whole message", f.ID, f.Index, f.Total)
	}
	return ParseBody(f.ID, f.Version, f.Body)
}

// EncryptedError is the error of a frame whose body is encrypted. It is for whoever has
// the key: decode with Options.AllowEncrypted then. Otherwise drop the message,
// or ask the terminal to send in clear.
type EncryptedError struct {
	Header Header // what the frame's header says; Encryption is not 0
}

func (e *EncryptedError) Error() string {
	return fmt.Sprintf("jt808: body of %v is encrypted (method %d) and no key is known", e.Header.ID, e.Header.Encryption)
}
