// Package segment is a durable log of records on the local disk: what
// store-and-forward stands on. It knows nothing of what the records mean.
//
//	l, err := segment.Open(dir, segment.DefaultConfig(), segment.WithLogger(logger), segment.WithNotify(wake))
//	defer l.Close()
//
//	err = l.Append(payload, 0, func(p segment.Position, err error) { ... }) // any goroutine; does not wait for the disk
//
//	r := l.NewReader() // from the oldest record that is not finished
//	defer r.Close()
//	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
//		... // and when it is done with, at any time, in any order:
//		l.Finish(rec.Position)
//	}
//
// # What holds
//
// A record whose done was called without an error comes back from every later
// Open until it was finished, whatever ends the process: with sync = batch also a
// power cut, with sync = interval or none all but that. Records come in the
// order of their appends.
//
// A record may come again after it was finished: what was finished is written
// down [Config.CursorInterval] or [Config.CursorCount] records later at most, and
// is forgotten when the process is killed before that. After an error of the disk a
// record whose done was called with that error may come, too: whoever appended it
// will have sent it again.
//
// Damaged content keeps nothing from opening: what cannot be read is skipped to the
// next record that can, counted, and logged with the range of bytes. Files that are not
// readable at all are kept under another name (.damaged).
package segment
