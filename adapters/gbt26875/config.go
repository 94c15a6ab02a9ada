package gbt26875

import (
	"time"

	"github.com/linkspan/linkspan/adapters/internal/check"
	"github.com/linkspan/linkspan/adapters/internal/zone"
	"github.com/linkspan/linkspan/codec/gbt26875"
)

// Config is a listener's section gbt26875.
type Config struct {
	Ack         string        `conf:"ack" doc:"what a confirmation means to a device: received (linkspan has its report), stored (it is on linkspan's disk; needs the queue) or delivered (the platform has it)"`
	Identity    string        `conf:"identity" doc:"a device's name, made of its source address: hex (12 hexadecimal digits as on the wire), reversed (the bytes the other way round) or number (decimal, as the standard means it)"`
	Allow       []string      `conf:"allow" doc:"names of devices that may go online; empty: all that the platform knows"`
	Gateway     bool          `conf:"gateway" doc:"one connection may carry the frames of many devices: another centre that passes them on"`
	Attempts    int           `conf:"attempts" doc:"refused logins on one connection after which it is closed; not with gateway"`
	Mode        string        `conf:"mode" doc:"lenient: what is whole of a frame's objects is taken; strict: a frame whose objects are not what the standard says is denied"`
	Checksum    string        `conf:"checksum" doc:"what becomes of a frame with a wrong check sum: deny (as the standard wants it), drop (without an answer) or ignore (take it all the same)"`
	Unknown     string        `conf:"unknown" doc:"how data of a type that the standard does not know is answered: confirm or deny; the platform gets its bytes either way"`
	PartAddress string        `conf:"partAddress" doc:"what the four bytes of a part's address are besides their digits: zonePoint or pointZone (two numbers), number (one), or digits (nothing else)"`
	MaxData     int           `conf:"maxData,bytes" doc:"longest application data; the standard allows 1024 bytes"`
	MaxParts    int           `conf:"maxParts" doc:"states of parts and systems that are remembered for one device, to tell what changes; what does not fit is an event every time"`
	Patrol      time.Duration `conf:"patrol" doc:"a device that has been silent for so long is asked for its state, for the standard has no heartbeat; 0: never"`
	Clock       Clock         `conf:"clock" doc:"devices' clocks"`
	Commands    Commands      `conf:"commands" doc:"commands to devices"`
}

// Clock is how devices' clocks are read and set.
type Clock struct {
	Zone   string        `conf:"zone" doc:"time zone of the clocks: an offset such as +08:00, or a name such as Asia/Shanghai"`
	Format string        `conf:"format" doc:"of times: binary, as the standard wants it, bcd, or auto (what is nearer to the time of receipt)"`
	Past   time.Duration `conf:"past" doc:"a time that is longer ago is taken for a wrong clock: the time of receipt counts then"`
	Future time.Duration `conf:"future" doc:"a time that is further ahead is taken for a wrong clock, likewise"`
	Sync   time.Duration `conf:"sync" doc:"how often clocks are set, first when a device goes online; 0: never"`
}

// Commands is how commands are sent.
type Commands struct {
	Timeout time.Duration `conf:"timeout" doc:"how long each sending waits for an answer; the standard wants 10 s at most"`
	Retries int           `conf:"retries" doc:"how often a command is sent again; the standard wants it sent three times in all"`
	Most    int           `conf:"most" doc:"commands of one device under way at the same time"`
}

// The words that keys of the configuration may be.
const (
	ackReceived  = "received"
	ackStored    = "stored"
	ackDelivered = "delivered"

	identityHex      = "hex"
	identityReversed = "reversed"
	identityNumber   = "number"

	modeLenient = "lenient"
	modeStrict  = "strict"

	checksumDeny   = "deny"
	checksumDrop   = "drop"
	checksumIgnore = "ignore"

	unknownConfirm = "confirm"
	unknownDeny    = "deny"

	partZonePoint = "zonePoint"
	partPointZone = "pointZone"
	partNumber    = "number"
	partDigits    = "digits"

	formatAuto   = "auto"
	formatBinary = "binary"
	formatBCD    = "bcd"
)

// DefaultConfig is what holds for everything that is not written.
func DefaultConfig() Config {
	return Config{
		Ack:         ackDelivered,
		Identity:    identityHex,
		Attempts:    5,
		Mode:        modeLenient,
		Checksum:    checksumDeny,
		Unknown:     unknownConfirm,
		PartAddress: partZonePoint,
		MaxData:     gbt26875.MaxData,
		MaxParts:    1024,
		Patrol:      time.Minute,
		Clock:       Clock{Zone: "+08:00", Format: formatAuto, Past: 30 * 24 * time.Hour, Future: 10 * time.Minute},
		Commands:    Commands{Timeout: 10 * time.Second, Retries: 2, Most: 16},
	}
}

// validate reports all that makes no sense in c.
func (c *Config) validate() error {
	var l check.List
	l.Word("ack", c.Ack, ackReceived, ackStored, ackDelivered)
	l.Word("identity", c.Identity, identityHex, identityReversed, identityNumber)
	l.That(1 <= c.Attempts && c.Attempts <= 100, "attempts", c.Attempts, "from 1 to 100")
	l.Word("mode", c.Mode, modeLenient, modeStrict)
	l.Word("checksum", c.Checksum, checksumDeny, checksumDrop, checksumIgnore)
	l.Word("unknown", c.Unknown, unknownConfirm, unknownDeny)
	l.Word("partAddress", c.PartAddress, partZonePoint, partPointZone, partNumber, partDigits)
	l.That(gbt26875.MaxData <= c.MaxData && c.MaxData <= 0xFFFF, "maxData", c.MaxData, "from 1024 to 65535 bytes")
	l.That(0 <= c.MaxParts && c.MaxParts <= 1<<20, "maxParts", c.MaxParts, "from 0 to 1048576")
	l.That(c.Patrol == 0 || c.Patrol >= time.Second, "patrol", c.Patrol, "0 or at least 1s")
	_, err := zone.Parse(c.Clock.Zone)
	l.Of("clock.zone", err)
	l.Word("clock.format", c.Clock.Format, formatAuto, formatBinary, formatBCD)
	l.That(c.Clock.Past > 0, "clock.past", c.Clock.Past, "positive")
	l.That(c.Clock.Future > 0, "clock.future", c.Clock.Future, "positive")
	l.That(c.Clock.Sync == 0 || c.Clock.Sync >= time.Minute, "clock.sync", c.Clock.Sync, "0 or at least 1m")
	l.That(0 < c.Commands.Timeout, "commands.timeout", c.Commands.Timeout, "positive")
	l.That(0 <= c.Commands.Retries && c.Commands.Retries <= 10, "commands.retries", c.Commands.Retries, "from 0 to 10")
	l.That(1 <= c.Commands.Most && c.Commands.Most <= 1024, "commands.most", c.Commands.Most, "from 1 to 1024")
	return l.Err()
}
