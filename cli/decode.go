package cli

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// decoded is the envelope in which every protocol's frames are printed: one
// JSON object per frame.
type decoded struct {
	OK       bool       `json:"ok"`
	Protocol string     `json:"protocol,omitempty"`
	Version  string     `json:"version,omitempty"`
	ID       string     `json:"id,omitempty"`
	Name     string     `json:"name,omitempty"`
	Phone    string     `json:"phone,omitempty"`
	Source   string     `json:"source,omitempty"` // GB/T 26875.3: addresses as on the wire
	Target   string     `json:"target,omitempty"`
	Time     string     `json:"time,omitempty"` // of the frame
	Kind     string     `json:"kind,omitempty"` // Modbus: request, response or exception
	Unit     *int       `json:"unit,omitempty"`
	Number   *int       `json:"transaction,omitempty"`
	Serial   *int       `json:"serial,omitempty"`
	Package  *packageOf `json:"package,omitempty"`
	Body     any        `json:"body,omitempty"`
	Error    string     `json:"error,omitempty"`
	Hex      string     `json:"hex,omitempty"`
}

// packageOf is which part of a message in several frames one frame is.
type packageOf struct {
	Total int `json:"total"`
	Index int `json:"index"`
}

// failed is the envelope of bytes that are no frame.
func failed(err error, frame []byte) decoded {
	return decoded{Error: err.Error(), Hex: hex.EncodeToString(frame)}
}

// streamDecoder decodes one stream of bytes after the other, each whole, into
// envelopes. It is made anew for each run of the command.
type streamDecoder func(stream []byte) []decoded

// decoders are the protocols that `linkspan decode` knows.
var decoders = map[string]struct {
	short string
	open  func() streamDecoder
}{
	"gbt26875": {"GB/T 26875.3-2011", newGBT26875Decoder},
	"jt808":    {"JT/T 808-2011, -2013 and -2019, with JT/T 1078 messages", newJT808Decoder},
	"modbus":   {"Modbus RTU, TCP and ASCII", newModbusDecoder},
}

func newDecode() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "decode",
		Short: "Show what frames in hex mean",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, name := range slices.Sorted(maps.Keys(decoders)) {
		var asJSON bool
		protocol := decoders[name]
		sub := &cobra.Command{
			Use:   name + " [HEX...]",
			Short: "Show what frames of " + protocol.short + " mean",
			Long: "Shows what frames of " + protocol.short + " mean.\n\n" +
				"The arguments are one stream of bytes in hex; white space, commas and 0x do not matter. Without\n" +
				"arguments every line of standard input is a stream. The exit status is 1 when a frame failed. A message in\n" +
				"several frames is shown with the last of them, also when they are in several streams.",
			RunE: func(cmd *cobra.Command, args []string) error {
				show := showText
				if asJSON {
					show = showJSON
				}
				return decodeStreams(cmd.InOrStdin(), cmd.OutOrStdout(), args, protocol.open, show)
			},
		}
		sub.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per frame")
		cmd.AddCommand(sub)
	}
	return cmd
}

// errUndecoded ends the command with status 1; the frames have been shown.
var errUndecoded = errors.New("frames that cannot be decoded")

const maxLine = 16 << 20

func decodeStreams(in io.Reader, out io.Writer, args []string, open func() streamDecoder, show func(io.Writer, decoded) error) error {
	w := bufio.NewWriter(out)
	bad := false
	decode := open()
	stream := func(text string) error {
		for _, d := range decodeText(text, decode) {
			bad = bad || !d.OK
			if err := show(w, d); err != nil {
				return err
			}
		}
		return w.Flush()
	}
	if len(args) > 0 {
		if err := stream(strings.Join(args, " ")); err != nil {
			return err
		}
	} else {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			if err := stream(lines.Text()); err != nil {
				return err
			}
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("cli: read standard input: %w", err)
		}
	}
	if bad {
		return &silentError{errUndecoded}
	}
	return nil
}

var hexNoise = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "", ",", "", "0x", "", "0X", "", "\ufeff", "")

// singleDigit is a byte below 16 as lists of source code have it.
var singleDigit = regexp.MustCompile(`\b0[xX]([0-9a-fA-F])\b`)

func decodeText(text string, decode streamDecoder) []decoded {
	digits := hexNoise.Replace(singleDigit.ReplaceAllString(text, "0$1"))
	stream, err := hex.DecodeString(digits)
	if err != nil {
		var bad hex.InvalidByteError
		switch {
		case errors.As(err, &bad):
			at := strings.IndexByte(digits, byte(bad))
			r, _ := utf8.DecodeRuneInString(digits[at:])
			err = fmt.Errorf("not hex: %q at digit %d", r, at)
		case errors.Is(err, hex.ErrLength):
			err = fmt.Errorf("not hex: %d digits, an even number is needed", len(digits))
		}
		return []decoded{{Error: err.Error(), Hex: strings.ToValidUTF8(digits, "\ufffd")}}
	}
	return decode(stream)
}

func showJSON(w io.Writer, d decoded) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(d)
}

// showText prints a frame for people: a line that names it, then its body.
func showText(w io.Writer, d decoded) error {
	if !d.OK {
		shown := strconv.QuoteToASCII(d.Hex) // what is no hex may be anything
		fmt.Fprintf(w, "BAD FRAME: %s\n  %s\n", d.Error, shown[1:len(shown)-1])
		return nil
	}
	fmt.Fprintf(w, "%s %s %s", strings.ToUpper(d.Protocol), d.Version, d.ID)
	for _, part := range []struct{ name, text string }{{"", d.Kind}, {"phone", d.Phone}, {"from", d.Source}, {"to", d.Target}, {"at", d.Time}} {
		if part.text != "" {
			fmt.Fprint(w, "  ", strings.TrimSpace(part.name+" "+part.text))
		}
	}
	for _, part := range []struct {
		name   string
		number *int
	}{{"unit", d.Unit}, {"transaction", d.Number}, {"serial", d.Serial}} {
		if part.number != nil {
			fmt.Fprintf(w, "  %s %d", part.name, *part.number)
		}
	}
	if d.Package != nil {
		fmt.Fprintf(w, "  package %d of %d", d.Package.Index, d.Package.Total)
	}
	if d.Name != "" {
		fmt.Fprintf(w, "  %s", d.Name)
	}
	fmt.Fprintln(w)
	if d.Error != "" { // what there is of a body is shown all the same
		fmt.Fprintf(w, "  %s\n", d.Error)
	}
	if d.Body == nil {
		return nil
	}
	text, err := json.Marshal(d.Body)
	if err != nil {
		return fmt.Errorf("cli: show body: %w", err)
	}
	return showFields(w, text, "  ")
}

// showFields prints a JSON object's fields in their order, a line each, nested
// ones indented.
func showFields(w io.Writer, object []byte, indent string) error {
	d := json.NewDecoder(bytes.NewReader(object))
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("cli: show body: %w", err)
	}
	if t != json.Delim('{') {
		fmt.Fprintf(w, "%s%s\n", indent, object)
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("cli: show body: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return fmt.Errorf("cli: show body: %w", err)
		}
		if len(value) > 2 && value[0] == '{' {
			fmt.Fprintf(w, "%s%s:\n", indent, name)
			if err := showFields(w, value, indent+"  "); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w, "%s%-18s %s\n", indent, name, value)
	}
	return nil
}
