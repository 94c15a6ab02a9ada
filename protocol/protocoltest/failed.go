package protocoltest

// Failed implements protocol.Teller.
func (s side) Failed(identity string, err error) {
	s.d.Failed = append(s.d.Failed, Refusal{Identity: identity, Err: err})
}
