package away

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
)

// place is where a letter is, besides in memory.
type place uint8

const (
	nowhere place = iota
	underway
	stored
)

// The size of the log: commands are few, and small.
const (
	segmentSize = 4 << 20
	maxBytes    = 256 << 20
	maxRecord   = 1 << 20
	maxPending  = 8 << 20
)

// segmentConfig is what the log is opened with. What is finished is written down at
// once, not every now and then: a command is not to come twice.
func (d *Disk) segmentConfig() segment.Config {
	cfg := segment.DefaultConfig()
	cfg.SegmentSize, cfg.MaxBytes, cfg.MaxRecord, cfg.MaxPending = segmentSize, maxBytes, maxRecord, maxPending
	cfg.MinFree, cfg.EncryptionKey, cfg.FormerKeys = d.MinFree, d.EncryptionKey, d.FormerKeys
	if d.Sync != "" {
		cfg.Sync = d.Sync
	}
	cfg.CursorCount = 1
	return cfg
}

// open opens the log and reads what an earlier process has left. Nothing else runs yet.
func (c *Connector) open() error {
	if c.disk == nil {
		return nil
	}
	log, err := segment.Open(c.disk.Directory, c.disk.segmentConfig(), segment.WithLogger(c.logger))
	if err != nil {
		return fmt.Errorf("away: commands: %w", err)
	}
	c.log.Store(log)
	r := log.NewReader()
	defer r.Close()
	var dropped, damaged int
	now := time.Now()
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		e, err := queue.Decode(rec.Payload)
		switch {
		case err != nil || e.Command == nil:
			damaged++
		case c.recover(&e, rec.Position, now):
			continue
		default:
			dropped++
		}
		log.Finish(rec.Position)
	}
	c.counts.damaged.Add(uint64(damaged)) //nolint:gosec // not negative
	c.counts.untold.Add(uint64(dropped))  //nolint:gosec // not negative
	if damaged > 0 {
		c.logger.Error("records that are no commands are dropped", zap.Int("count", damaged))
	}
	if dropped > 0 {
		c.logger.Warn("commands that an earlier process left are dropped: they are too old, repeated, or more than away.commands, away.maxCommands and away.maxBytes allow", zap.Int("count", dropped))
	}
	if n := c.waiting.Load(); n > 0 {
		c.logger.Info("commands wait for their devices on the disk", zap.Int64("count", n))
	}
	return nil
}

// recover has a command wait that an earlier process has left, and says whether it
// does.
func (c *Connector) recover(e *queue.Entry, at segment.Position, now time.Time) bool {
	size := sizeOf(e.Command)
	if now.Sub(e.Until) >= c.remembers || !c.room(size) {
		return false
	}
	s := c.seat(key{e.ProductKey, e.DeviceName})
	defer s.leave()
	if s.has(e.Command.ID) || len(s.waiting) >= c.cfg.Commands {
		return false
	}
	s.name = e.Name
	s.add(&letter{s: s, cmd: e.Command, size: size, until: c.clock.At(e.Until), disk: stored, pos: at})
	c.counts.recovered.Add(1)
	c.counts.stored.Add(1)
	return true
}

// save brings l to the disk. The caller holds mu.
func (s *seat) save(l *letter) {
	c := s.c
	log := c.log.Load()
	if log == nil {
		return
	}
	now := time.Now()
	id := auth.Identity{ProductKey: s.at.product, DeviceName: s.at.device}
	record := queue.AppendCommand(nil, s.name, id, now, now.Add(l.until-c.clock.Now()), l.cmd)
	if err := log.Append(record, 0, func(p segment.Position, err error) { s.saved(l, p, err) }); err != nil {
		c.unsaved(err)
		return
	}
	l.disk = underway
	c.counts.stored.Add(1)
}

// saved is called when l is on the disk, or could not be brought there.
func (s *seat) saved(l *letter, p segment.Position, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		if l.disk != nowhere { // it still waits
			l.disk = nowhere
			s.c.counts.stored.Add(-1)
		}
		s.c.unsaved(err)
	case l.gone:
		s.c.log.Load().Finish(p)
	default:
		l.disk, l.pos = stored, p
	}
}

// finished notes that l, which does not wait any more, does not come again. The caller
// holds mu.
func (s *seat) finished(l *letter) {
	if l.disk == nowhere {
		return
	}
	if l.disk == stored {
		s.c.log.Load().Finish(l.pos)
	}
	l.disk = nowhere
	s.c.counts.stored.Add(-1)
}

// unsaved notes that a command waits in memory alone.
func (c *Connector) unsaved(err error) {
	c.counts.unstored.Add(1)
	c.warn(&c.quiet.unsaved, "a command waits in memory alone, for the disk does not take it", zap.NamedError("err", err))
}

// closeLog closes the log, if there is one. All seats are unlocked.
func (c *Connector) closeLog() error {
	log := c.log.Load()
	if log == nil {
		return nil
	}
	if err := log.Close(); err != nil && !errors.Is(err, segment.ErrClosed) {
		return fmt.Errorf("away: commands: %w", err)
	}
	return nil
}
