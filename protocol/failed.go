package protocol

// Teller is implemented by transports that say in the log what could not be done for a
// device, by no fault of its own.
type Teller interface {
	// Failed logs, at a limited rate, that something failed for the device that calls
	// itself identity: err says what, has its cause and no secrets in it. On the loop
	// only.
	Failed(identity string, err error)
}

// Failed says in the log what an adapter could not do for a device, by no fault of the
// device, such as keeping a file: err says what and why, and has no secrets in it.
func (c *Conn[M]) Failed(identity string, err error) {
	if t, ok := c.transport.(Teller); ok {
		t.Failed(identity, err)
	}
}
