package cli

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/thing"
)

func newQueueStats() *cobra.Command {
	var (
		flags   queueFlags
		devices int
	)
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Say how much waits, and since when",
		Long: "Says how much waits, and since when. With --devices N it reads all records, checks them, and says which\n" +
			"N devices have the most. Beside a running bridge, what was finished in the last second may still be counted.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := countable("--devices", devices, "none"); err != nil {
				return err
			}
			dir, v, err := flags.view()
			if err != nil {
				return err
			}
			err = queueStats(cmd.OutOrStdout(), dir, v, devices)
			return errors.Join(err, v.Close())
		},
	}
	flags.add(cmd)
	cmd.Flags().IntVar(&devices, "devices", 0, "how many devices to name, those with the most records first")
	return cmd
}

// queueStats writes what is in a queue.
func queueStats(out io.Writer, dir string, v *segment.View, devices int) error {
	var (
		sum    = v.Summary()
		counts = map[string]int{}
		alien  int
	)
	if devices > 0 {
		sum.Records = 0
		for rec, ok := v.Next(); ok; rec, ok = v.Next() {
			sum.Records++
			if e, err := queue.Decode(rec.Payload); err == nil {
				counts[deviceOf(&e)]++
			} else {
				alien++
			}
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "directory\t%s\n", dir)
	fmt.Fprintf(w, "records\t%d\n", sum.Records)
	if sum.Records > 0 && !sum.Oldest.IsZero() {
		fmt.Fprintf(w, "oldest\t%s\n", ageOf(sum.Oldest))
		fmt.Fprintf(w, "newest\t%s\n", ageOf(sum.Newest))
	}
	fmt.Fprintf(w, "bytes\t%s in %d files\n", config.Size(sum.Bytes), sum.Segments)
	fmt.Fprintf(w, "finished\t%d, whose space comes free with their file\n", sum.Finished)
	if sum.Aside > 0 {
		fmt.Fprintf(w, "set aside\t%d files *.damaged without a readable header\n", sum.Aside)
	}
	if alien > 0 {
		fmt.Fprintf(w, "unknown\t%d records that are no messages\n", alien)
	}
	if devices > 0 {
		fmt.Fprintf(w, "devices\t%d\n", len(counts))
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	for _, name := range names[:min(devices, len(names))] {
		fmt.Fprintf(w, "  %s\t%d\n", visible(name), counts[name])
	}
	return errors.Join(w.Flush(), writeGaps(out, v))
}

func ageOf(t time.Time) string {
	return fmt.Sprintf("about %s, %s ago", t.UTC().Format(time.RFC3339), time.Since(t).Round(time.Second))
}

// deviceOf is what a device is called in lists.
func deviceOf(e *queue.Entry) string {
	if e.Name != "" {
		return e.Name
	}
	return e.ProductKey + "/" + e.DeviceName
}

// writeGaps says what could not be read.
func writeGaps(out io.Writer, v *segment.View) error {
	for _, g := range v.Gaps() {
		cause := "damaged"
		if g.Err != nil {
			cause = g.Err.Error()
		}
		if _, err := fmt.Fprintf(out, "skipped: %s: bytes %d to %d: %s\n", g.Path, g.From, g.To-1, cause); err != nil {
			return err
		}
	}
	return nil
}

// recordFlags say which records.
type recordFlags struct {
	queueFlags
	device string
	limit  int
}

func (f *recordFlags) add(cmd *cobra.Command, limit int, usage string) {
	f.queueFlags.add(cmd)
	cmd.Flags().StringVar(&f.device, "device", "", "only this device: its own name, or PRODUCT/DEVICE")
	cmd.Flags().IntVarP(&f.limit, "number", "n", limit, usage)
}

// countable refuses numbers below 0.
func countable(flag string, n int, zero string) error {
	if n < 0 {
		return fmt.Errorf("%s is %d: write a number, or 0 for %s", flag, n, zero)
	}
	return nil
}

// each calls show for the records that are wanted. What was skipped is told to
// errOut, for the output may be read by a program.
func (f *recordFlags) each(errOut io.Writer, show func(*segment.Record, *queue.Entry) error) error {
	if err := countable("-n", f.limit, "all"); err != nil {
		return err
	}
	_, v, err := f.view()
	if err != nil {
		return err
	}
	for n := 0; f.limit == 0 || n < f.limit; {
		rec, ok := v.Next()
		if !ok {
			break
		}
		entry, decodeErr := queue.Decode(rec.Payload)
		known := &entry
		if decodeErr != nil {
			known = nil
		}
		if f.device != "" && (known == nil || known.Name != f.device && known.ProductKey+"/"+known.DeviceName != f.device) {
			continue
		}
		if err = show(&rec, known); err != nil {
			return errors.Join(err, v.Close())
		}
		n++
	}
	return errors.Join(writeGaps(errOut, v), v.Close())
}

func newQueuePeek() *cobra.Command {
	var flags recordFlags
	cmd := &cobra.Command{
		Use:   "peek",
		Short: "Show the oldest messages that wait",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			return flags.each(cmd.ErrOrStderr(), func(rec *segment.Record, e *queue.Entry) error {
				_, err := fmt.Fprintln(out, peekLine(rec, e))
				return err
			})
		},
	}
	flags.add(cmd, 10, "how many messages; 0: all")
	return cmd
}

// peekLine is a record for people.
func peekLine(rec *segment.Record, e *queue.Entry) string {
	head := fmt.Sprintf("%s %s", rec.Position, rec.Time.UTC().Format("2006-01-02T15:04:05.000Z"))
	if e == nil {
		return head + " no message: " + hex.EncodeToString(rec.Payload)
	}
	m, kind := shown(e)
	line := fmt.Sprintf("%s %s (%s/%s) %s", head, deviceOf(e), e.ProductKey, e.DeviceName, kind)
	if m.Name != "" {
		line += " " + m.Name
	}
	if m.Topic != "" {
		line += " " + m.Topic
	}
	if len(m.Fields) > 0 {
		line += " " + string(thing.AppendFields(nil, m.Fields))
	}
	if len(m.Raw) > 0 {
		line += " " + hex.EncodeToString(m.Raw)
	}
	if e.Command != nil {
		line += fmt.Sprintf(" [command %s until %s]", m.ID, e.Until.UTC().Format(time.RFC3339))
	}
	if e.Dead {
		line += fmt.Sprintf(" [dead since %s after %d attempts: %s]", e.Died.UTC().Format(time.RFC3339), e.Attempts, e.Cause)
	}
	return visible(line)
}

// shown is what an entry says, or is to be told, and its kind.
func shown(e *queue.Entry) (m *thing.Message, kind string) {
	c := e.Command
	if c == nil {
		return &e.Message, e.Message.Kind.String()
	}
	return &thing.Message{Name: c.Name, ID: c.ID, Time: c.Deadline, Fields: c.Fields, Raw: c.Raw, Topic: c.Topic}, c.Kind.String()
}

// visible is s without what a terminal would obey: names and texts are of devices' and
// platforms' making.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func newQueueExport() *cobra.Command {
	var (
		flags recordFlags
		path  string
	)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all messages as JSON, one in each line",
		Long: "Writes all messages that wait, all dead letters with --dead, or all commands with --commands, as JSON, one in\n" +
			"each line, the oldest first. They stay there. What cannot be read is told on standard error.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			out := cmd.OutOrStdout()
			if path != "-" {
				f, openErr := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user's file
				if errors.Is(openErr, fs.ErrExist) {
					return fmt.Errorf("cli: %w: name another file, or take that one away", openErr)
				}
				if openErr != nil {
					return fmt.Errorf("cli: %w", openErr)
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				out = f
			}
			w := bufio.NewWriterSize(out, 1<<16)
			err = flags.each(cmd.ErrOrStderr(), func(rec *segment.Record, e *queue.Entry) error {
				line, lineErr := json.Marshal(exported(rec, e))
				if lineErr == nil {
					_, lineErr = w.Write(append(line, '\n'))
				}
				return lineErr
			})
			return errors.Join(err, w.Flush())
		},
	}
	flags.add(cmd, 0, "how many messages; 0: all")
	cmd.Flags().StringVarP(&path, "output", "o", "-", "the file, which must not exist; -: standard output")
	return cmd
}

// exportedRecord is a line of an export. Bytes are in base64.
type exportedRecord struct {
	Position   string          `json:"position"`
	Stored     time.Time       `json:"stored"`
	Name       string          `json:"name,omitempty"`
	Listener   string          `json:"listener,omitempty"`
	ProductKey string          `json:"productKey,omitempty"`
	DeviceName string          `json:"deviceName,omitempty"`
	Kind       string          `json:"kind,omitempty"`
	QoS        *int            `json:"qos,omitempty"` // none: the connector's
	Identifier string          `json:"identifier,omitempty"`
	ID         string          `json:"id,omitempty"`
	Time       *time.Time      `json:"time,omitempty"`
	Fields     json.RawMessage `json:"fields,omitempty"`
	Raw        []byte          `json:"raw,omitempty"`
	Topic      string          `json:"topic,omitempty"`
	State      string          `json:"state,omitempty"`
	Code       int             `json:"code,omitempty"`
	Text       string          `json:"text,omitempty"`
	Deadline   *time.Time      `json:"deadline,omitempty"` // of a command: the platform's
	Until      *time.Time      `json:"until,omitempty"`    // of a command: when it waits no longer
	Died       *time.Time      `json:"died,omitempty"`
	Attempts   int             `json:"attempts,omitempty"`
	Cause      string          `json:"cause,omitempty"`
	Unknown    []byte          `json:"unknown,omitempty"` // a record that is no message
}

func exported(rec *segment.Record, e *queue.Entry) exportedRecord {
	if e == nil {
		return exportedRecord{Position: rec.Position.String(), Stored: rec.Time.UTC(), Unknown: rec.Payload}
	}
	m, kind := shown(e)
	x := exportedRecord{
		Position: rec.Position.String(), Stored: e.Stored.UTC(), Name: e.Name, Listener: e.Listener, ProductKey: e.ProductKey, DeviceName: e.DeviceName,
		Kind: kind, Identifier: m.Name, ID: m.ID, Raw: m.Raw, Topic: m.Topic, Code: m.Code, Text: m.Text,
		Attempts: e.Attempts, Cause: e.Cause,
	}
	if m.QoS != thing.QoSDefault {
		qos := int(m.QoS - thing.AtMostOnce)
		x.QoS = &qos
	}
	if t := m.Time.UTC(); !m.Time.IsZero() && e.Command == nil {
		x.Time = &t
	} else if !m.Time.IsZero() {
		x.Deadline = &t
	}
	if t := e.Until.UTC(); e.Command != nil {
		x.Until = &t
	}
	if len(m.Fields) > 0 {
		x.Fields = thing.AppendFields(nil, m.Fields)
	}
	if e.Message.Kind == thing.Reply {
		x.State = m.State.String()
	}
	if e.Dead {
		t := e.Died.UTC()
		x.Died = &t
	}
	return x
}
