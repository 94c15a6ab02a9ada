package jt808

import (
	"time"

	"github.com/linkspan/linkspan/adapters/internal/check"
	"github.com/linkspan/linkspan/adapters/internal/zone"
	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/jt808"
)

// Config is a listener's section jt808.
type Config struct {
	Ack            string         `conf:"ack" doc:"what result 0 towards a terminal means: received (linkspan has its report), stored (it is on linkspan's disk; needs the queue) or delivered (the platform has it)"`
	Authentication Authentication `conf:"authentication" doc:"who may go online"`
	Zone           string         `conf:"zone" doc:"time zone of terminals' clocks: an offset such as +08:00, which the standard wants, or a name such as Asia/Shanghai"`
	TextEncoding   string         `conf:"textEncoding" doc:"of texts shown to drivers: gbk, as the standard wants, or utf-8; incoming texts are told apart by themselves"`
	Logout         string         `conf:"logout" doc:"what to do with the connection of a terminal that logs out (0x0003): keep or close"`
	Unknown        string         `conf:"unknown" doc:"how messages that nobody knows are answered: unsupported (result 3) or ok (result 0); the platform gets their bytes either way"`
	Extras         bool           `conf:"extras" doc:"report additional items that are not of the standards as property extras, in hexadecimal digits by item id"`
	MaxInflated    int            `conf:"maxInflated,bytes" doc:"most bytes that a compressed message (0x0901) may have when it is unpacked"`
	Frames         jt808.Options  `conf:"frames" doc:"reading of frames"`
	Packages       Packages       `conf:"packages" doc:"messages that come in several packages"`
	Commands       Commands       `conf:"commands" doc:"commands to terminals"`
	Multimedia     Multimedia     `conf:"multimedia" doc:"pictures, sound and video (0x0801)"`
}

// Authentication is who may go online.
type Authentication struct {
	Policy   string        `conf:"policy" doc:"require: terminals need a code that a registration gave them; accept: any code will do, and none"`
	Key      auth.Secret   `conf:"key" doc:"signs the codes, at least 16 characters, the same on all nodes; without it a random one is made, and terminals have to register again when linkspan was restarted"`
	Lifetime time.Duration `conf:"lifetime" doc:"how long a code is good for; 0 is for ever"`
	Attempts int           `conf:"attempts" doc:"failed registrations and authentications on one connection after which it is closed"`
}

// Packages is how messages are put together whose packages come one by one.
type Packages struct {
	jt808.ReassemblyOptions
	Acknowledge string `conf:"acknowledge" doc:"each: every package is answered when it comes; last: only the one that completes its message"`
}

// Commands is how commands are sent.
type Commands struct {
	Timeout time.Duration `conf:"timeout" doc:"how long the first sending waits for an answer; the n-th repetition waits n+1 times as long as the one before"`
	Retries int           `conf:"retries" doc:"how often a command is sent again"`
	Most    int           `conf:"most" doc:"commands of one terminal under way at the same time"`
	MaxBody int           `conf:"maxBody,bytes" doc:"longest body of a command in bytes; above 1023 it goes in packages"`
}

// Multimedia is what becomes of pictures, sound and video.
type Multimedia struct {
	Directory string `conf:"directory" doc:"where files are written, one for each item; empty: only the event is reported"`
	MaxFile   int    `conf:"maxFile,bytes" doc:"largest item in bytes; packages.maxBytes limits it as well"`
	MaxQueue  int    `conf:"maxQueue" doc:"items that may wait to be written, of all terminals"`
	MaxBytes  int    `conf:"maxBytes,bytes" doc:"bytes that may wait to be written, of all terminals"`

	MaxDirectory int64 `conf:"maxDirectory,bytes" doc:"bytes of all files in the directory above which no item is kept: terminals send it again later; 0 is no limit"`
}

// The words that keys of the configuration may be.
const (
	ackReceived  = "received"
	ackStored    = "stored"
	ackDelivered = "delivered"

	policyRequire = "require"
	policyAccept  = "accept"

	logoutKeep  = "keep"
	logoutClose = "close"

	unknownUnsupported = "unsupported"
	unknownOK          = "ok"

	acknowledgeEach = "each"
	acknowledgeLast = "last"

	encodingGBK  = "gbk"
	encodingUTF8 = "utf-8"
)

// DefaultConfig is what holds for everything that is not written.
func DefaultConfig() Config {
	return Config{
		Ack:            ackReceived,
		Authentication: Authentication{Policy: policyRequire, Attempts: 5},
		Zone:           "+08:00",
		TextEncoding:   encodingGBK,
		Logout:         logoutKeep,
		Unknown:        unknownUnsupported,
		MaxInflated:    256 << 10,
		Frames:         jt808.DefaultOptions(),
		Packages:       Packages{ReassemblyOptions: jt808.DefaultReassemblyOptions(), Acknowledge: acknowledgeEach},
		Commands:       Commands{Timeout: 5 * time.Second, Retries: 2, Most: 16, MaxBody: 256 << 10},
		Multimedia:     Multimedia{MaxFile: 2 << 20, MaxQueue: 256, MaxBytes: 64 << 20, MaxDirectory: 10 << 30},
	}
}

const (
	minKey     = 16       // characters
	maxCommand = 16 << 20 // bytes: fits 65535 packages
)

// validate reports all that makes no sense in c.
func (c *Config) validate() error {
	var l check.List
	l.Word("ack", c.Ack, ackReceived, ackStored, ackDelivered)
	l.Word("authentication.policy", c.Authentication.Policy, policyRequire, policyAccept)
	l.That(c.Authentication.Key == "" || len(c.Authentication.Key) >= minKey, "authentication.key", c.Authentication.Key, "at least 16 characters")
	l.That(c.Authentication.Lifetime >= 0, "authentication.lifetime", c.Authentication.Lifetime, "0 or more")
	l.That(1 <= c.Authentication.Attempts && c.Authentication.Attempts <= 100, "authentication.attempts", c.Authentication.Attempts, "from 1 to 100")
	_, err := zone.Parse(c.Zone)
	l.Of("zone", err)
	l.Word("textEncoding", c.TextEncoding, encodingGBK, encodingUTF8)
	l.Word("logout", c.Logout, logoutKeep, logoutClose)
	l.Word("unknown", c.Unknown, unknownUnsupported, unknownOK)
	l.That(c.MaxInflated >= 1, "maxInflated", c.MaxInflated, "at least 1")
	l.Of("frames", c.Frames.Validate())
	l.That(!c.Frames.AllowEncrypted, "frames.allowEncrypted", true, "false: nobody here has the key")
	l.Of("packages", c.Packages.Validate())
	l.Word("packages.acknowledge", c.Packages.Acknowledge, acknowledgeEach, acknowledgeLast)
	l.That(c.Commands.Timeout > 0, "commands.timeout", c.Commands.Timeout, "positive")
	l.That(0 <= c.Commands.Retries && c.Commands.Retries <= 10, "commands.retries", c.Commands.Retries, "from 0 to 10")
	l.That(c.Commands.Most >= 1, "commands.most", c.Commands.Most, "at least 1")
	l.That(jt808.MaxBody <= c.Commands.MaxBody && c.Commands.MaxBody <= maxCommand, "commands.maxBody", c.Commands.MaxBody, "from 1023 bytes to 16MiB")
	if c.Multimedia.Directory != "" {
		l.Of("multimedia.directory", writable(c.Multimedia.Directory))
	}
	l.That(c.Multimedia.MaxFile >= 1, "multimedia.maxFile", c.Multimedia.MaxFile, "at least 1")
	l.That(c.Multimedia.MaxQueue >= 1, "multimedia.maxQueue", c.Multimedia.MaxQueue, "at least 1")
	l.That(c.Multimedia.MaxBytes >= c.Multimedia.MaxFile, "multimedia.maxBytes", c.Multimedia.MaxBytes, "at least multimedia.maxFile")
	l.That(c.Multimedia.MaxDirectory == 0 || c.Multimedia.MaxDirectory >= int64(c.Multimedia.MaxFile), "multimedia.maxDirectory", c.Multimedia.MaxDirectory, "0 or at least multimedia.maxFile")
	return l.Err()
}
