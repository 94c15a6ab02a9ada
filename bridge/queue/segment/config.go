package segment

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// What a record is safe from when its done is called.
const (
	SyncBatch    = "batch"    // a power cut: fsync for each batch
	SyncInterval = "interval" // kill -9; a power cut takes what came within the last syncInterval
	SyncNone     = "none"     // kill -9; the system writes when it likes
)

// What happens to a record that there is no room for.
const (
	FullRefuse        = "refuse"        // it is refused
	FullDropOldest    = "dropOldest"    // the oldest segment is dropped for it, finished or not
	FullDropDroppable = "dropDroppable" // the oldest records marked Droppable are dropped for it; refused when there are none
)

// Config is the data a [Log] is opened with.
type Config struct {
	SegmentSize    int64         `conf:"segmentSize,bytes" doc:"size of one file of the log; disk space comes free a file at a time"`
	MaxBytes       int64         `conf:"maxBytes,bytes" doc:"disk space of the whole log"`
	MaxAge         time.Duration `conf:"maxAge" doc:"age at which a record is dropped; 0: none"`
	MaxRecord      int           `conf:"maxRecord,bytes" doc:"largest record"`
	MaxPending     int           `conf:"maxPending,bytes" doc:"records that may wait for the disk; further ones are refused"`
	MinFree        int64         `conf:"minFree,bytes" doc:"space that is left free on the disk for others"`
	Full           string        `conf:"full" doc:"what happens when there is no room: refuse, dropOldest, or dropDroppable"`
	Sync           string        `conf:"sync" doc:"when a record counts as stored: batch (fsync before), interval (written; fsync every syncInterval) or none (written)"`
	SyncInterval   time.Duration `conf:"syncInterval" doc:"with sync = interval: time between two fsyncs"`
	Commit         CommitConfig  `conf:"commit" doc:"how many records share one fsync"`
	CursorInterval time.Duration `conf:"cursorInterval" doc:"how often it is written down what is finished; later than that comes again after kill -9"`
	CursorCount    int           `conf:"cursorCount" doc:"finished records after which it is written down earlier"`
	EncryptionKey  auth.Secret   `conf:"encryptionKey" doc:"AES-256 key of new records: 32 bytes as 64 hexadecimal digits or in base64; empty: not encrypted"`
	FormerKeys     []auth.Secret `conf:"formerKeys" doc:"keys of older records"`
}

// CommitConfig says how long a batch of records waits for more before it is
// written. A batch is written when one of the three is reached; after a quiet time
// that is at once. What comes while a batch is being written makes the next one, so
// small values hold nothing up on a slow disk.
type CommitConfig struct {
	Count    int           `conf:"count" doc:"records"`
	Bytes    int           `conf:"bytes,bytes" doc:"bytes"`
	Interval time.Duration `conf:"interval" doc:"time since the batch before was begun to be written; 0: no waiting"`
}

// DefaultConfig suits a bridge on a cloud disk.
func DefaultConfig() Config {
	return Config{
		SegmentSize:    64 << 20,
		MaxBytes:       4 << 30,
		MaxRecord:      1 << 20,
		MaxPending:     16 << 20,
		MinFree:        256 << 20,
		Full:           FullRefuse,
		Sync:           SyncBatch,
		SyncInterval:   time.Second,
		Commit:         CommitConfig{Count: 512, Bytes: 256 << 10, Interval: 2 * time.Millisecond},
		CursorInterval: time.Second,
		CursorCount:    100_000,
	}
}

const minSegment, maxSegment = 64 << 10, 1 << 30

// Check returns all that cannot be, joined; nil when there is nothing.
func (c Config) Check() error {
	var errs []error
	lowest, highest := c.SegmentSize, c.SegmentSize // that others are measured by: the most lenient when it is wrong itself
	if c.SegmentSize < minSegment || c.SegmentSize > maxSegment {
		lowest, highest = minSegment, maxSegment
	}
	for _, n := range []struct {
		key              string
		value, low, high int64
	}{
		{"segmentSize", c.SegmentSize, minSegment, maxSegment},
		{"maxBytes", c.MaxBytes, 2 * lowest, 1 << 50},
		{"maxRecord", int64(c.MaxRecord), 1, min(highest/4, maxPayload)},
		{"maxPending", int64(c.MaxPending), int64(c.MaxRecord) + recordOverhead, 1 << 30},
		{"minFree", c.MinFree, 0, 1 << 50},
		{"commit.count", int64(c.Commit.Count), 1, 1 << 20},
		{"commit.bytes", int64(c.Commit.Bytes), 1, 1 << 30},
		{"cursorCount", int64(c.CursorCount), 1, 1 << 30},
	} {
		if n.value < n.low || n.value > n.high {
			errs = append(errs, fmt.Errorf("%s is %d, want %d to %d", n.key, n.value, n.low, n.high))
		}
	}
	for _, d := range []struct {
		key              string
		value, low, high time.Duration
	}{
		{"maxAge", c.MaxAge, 0, 10 * 365 * 24 * time.Hour},
		{"syncInterval", c.SyncInterval, time.Millisecond, time.Hour},
		{"commit.interval", c.Commit.Interval, 0, time.Minute},
		{"cursorInterval", c.CursorInterval, time.Millisecond, time.Hour},
	} {
		if d.value < d.low || d.value > d.high {
			errs = append(errs, fmt.Errorf("%s is %s, want %s to %s", d.key, d.value, d.low, d.high))
		}
	}
	errs = append(errs,
		oneOf("full", c.Full, FullRefuse, FullDropOldest, FullDropDroppable),
		oneOf("sync", c.Sync, SyncBatch, SyncInterval, SyncNone))
	_, keysErr := newKeys(c.EncryptionKey, c.FormerKeys)
	return errors.Join(append(errs, keysErr)...)
}

func oneOf(key, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%s is %q, want one of %q", key, value, known)
}
