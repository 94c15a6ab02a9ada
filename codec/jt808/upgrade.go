package jt808

// UpgradeType is the part of a terminal that an upgrade is for.
type UpgradeType uint8

// The parts of a terminal that can be upgraded.
const (
	UpgradeTerminal   UpgradeType = 0  // the terminal itself
	UpgradeCardReader UpgradeType = 12 // the reader of road transport IC cards
	UpgradeGNSS       UpgradeType = 52 // the positioning module
)

// UpgradeOutcome is how an upgrade ended.
type UpgradeOutcome uint8

// The outcomes of an upgrade.
const (
	UpgradeDone      UpgradeOutcome = 0
	UpgradeFailed    UpgradeOutcome = 1
	UpgradeCancelled UpgradeOutcome = 2
)

// UpgradeResult is message 0x0108: an upgrade is over (JT/T 808; 2013
// is the first to have it). The platform answers with 0x8001.
type UpgradeResult struct {
	Type   UpgradeType    `json:"type"`           // what was upgraded
	Result UpgradeOutcome `json:"result"`         // how it ended
	Tail   Hex            `json:"tail,omitempty"` // bytes behind the last field
}

// ID is 0x0108.
func (*UpgradeResult) ID() ID { return IDUpgradeResult }

// AppendBody appends the two bytes of the result.
func (b *UpgradeResult) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Type))
	w.u8(uint8(b.Result))
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the result; it wants two bytes.
func (b *UpgradeResult) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = UpgradeResult{Type: UpgradeType(r.u8()), Result: UpgradeOutcome(r.u8()), Tail: r.tail()}
	return r.err()
}

// Upgrade is message 0x8108, the package of an upgrade, usually in many packets
// (JT/T 808; 2013 is the first to have it). The terminal answers with
// 0x0001, and with 0x0108 when it has upgraded.
type Upgrade struct {
	Type         UpgradeType `json:"type"`           // what to upgrade
	Manufacturer string      `json:"manufacturer"`   // maker's code, at most 5 bytes
	Version      string      `json:"version"`        // version of the package, at most 255 bytes
	Data         Hex         `json:"data_hex"`       // the package
	Tail         Hex         `json:"tail,omitempty"` // bytes behind the package
}

// ID is 0x8108.
func (*Upgrade) ID() ID { return IDUpgrade }

// AppendBody appends the package with its head.
func (b *Upgrade) AppendBody(dst []byte, _ Version) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(b.Type))
	w.textFixed(b.Manufacturer, 5, "manufacturer")
	w.text8(b.Version, "version")
	w.count32(len(b.Data), "upgrade package")
	w.bytes(b.Data)
	w.bytes(b.Tail)
	return w.done()
}

// ParseBody reads the package; all of it has to be there.
func (b *Upgrade) ParseBody(body []byte, _ Version) error {
	r := newReader(body)
	*b = Upgrade{
		Type:         UpgradeType(r.u8()),
		Manufacturer: r.text(5),
		Version:      r.text8(),
		Data:         r.clone(int(r.u32())),
		Tail:         r.tail(),
	}
	return r.err()
}
