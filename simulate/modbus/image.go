package modbus

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/codec/modbus"
)

// An Image is what the slaves of every line hold before anything is written. It
// does not change, and may be used by several goroutines at once.
type Image struct {
	units [256]*sheet
	plain bool // no file: every register up to plainLast holds its own address
}

// plainLast is the last address that slaves without an image have.
const plainLast = 9999

// sheet is the image of one unit.
type sheet map[key]cell

// key is an area and an address.
type key uint32

func keyOf(area modbus.Area, address uint16) key { return key(area)<<16 | key(address) }

// cell is a register or bit.
type cell struct {
	word uint16 // what it holds, of bits 0 or 1, unless it drifts
	row  *row   // that it is a part of, nil unless that drifts
	part uint8  // which of the row's registers it is
}

// row is a value that drifts as a sine does.
type row struct {
	format    modbus.Format
	value     float64
	amplitude float64
	period    time.Duration
}

// columns are the columns of an image's file.
var columns = []string{"unit", "area", "address", "type", "order", "registers", "value", "drift"}

// ReadImage reads an image from a CSV file. Its first line names its columns, of
// which address and value must be there:
//
//	unit       a unit or several, such as 1-4,7; empty or *: all
//	area       holding, input, coil or discrete; needed unless the address tells
//	address    from 0, or as documents have it: 40001, 4x1
//	type       bit, uint16 (when empty), int16, ..., float64, bcd, signMagnitude, string
//	order      ABCD (when empty), CDAB, BADC, DCBA
//	registers  of bcd, signMagnitude and string, 1 when empty
//	value      a number, a text, or on and off
//	drift      AMPLITUDE/PERIOD, such as 2.5/60s: the value goes up and down by so much
//
// Lines that begin with # are comments. All mistakes are reported at once, with
// their lines.
func ReadImage(r io.Reader) (*Image, error) {
	rows := csv.NewReader(r)
	rows.Comment, rows.TrimLeadingSpace, rows.FieldsPerRecord = '#', true, -1
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("simulate: image: its first line, which names the columns: %w", err)
	}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if !slices.Contains(columns, header[i]) {
			return nil, fmt.Errorf("simulate: image: column %q, want some of %s", name, strings.Join(columns, ", "))
		}
	}
	for _, needed := range []string{"address", "value"} {
		if !slices.Contains(header, needed) {
			return nil, fmt.Errorf("simulate: image: there is no column %s", needed)
		}
	}
	image := &Image{}
	var wrong []error
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return image, errors.Join(wrong...)
		}
		if err != nil {
			return nil, errors.Join(append(wrong, fmt.Errorf("simulate: image: %w", err))...)
		}
		line, _ := rows.FieldPos(0)
		if err := image.add(header, fields); err != nil {
			wrong = append(wrong, fmt.Errorf("simulate: image: line %d: %w", line, err))
		}
	}
}

// add adds a line of the file.
func (m *Image) add(header, fields []string) error {
	if len(fields) > len(header) {
		return fmt.Errorf("%d fields, there are %d columns", len(fields), len(header))
	}
	get := func(column string) string {
		if i := slices.Index(header, column); i >= 0 && i < len(fields) {
			return strings.TrimSpace(fields[i])
		}
		return ""
	}
	units, err := imageUnits(get("unit"))
	if err != nil {
		return fmt.Errorf("unit: %w", err)
	}
	var area modbus.Area
	if name := get("area"); name != "" {
		if area, err = modbus.ParseArea(name); err != nil {
			return err
		}
	}
	address, err := modbus.ParseAddress(get("address"), area, 0)
	if err != nil {
		return err
	}
	if address.Area.Bits() {
		on, bad := parseSwitch(get("value"), get("type"), get("drift"))
		if bad != nil {
			return bad
		}
		m.put(units, address, []cell{{word: on}})
		return nil
	}
	cells, err := registerCells(get)
	if err != nil {
		return err
	}
	if int(address.Offset)+len(cells) > 1<<16 {
		return fmt.Errorf("%s and %d registers go past 65535", address, len(cells))
	}
	m.put(units, address, cells)
	return nil
}

func imageUnits(text string) ([]uint8, error) {
	if text == "" || text == "*" {
		text = "0-255"
	}
	return parseUnits(text, 1)
}

func (m *Image) put(units []uint8, at modbus.Address, cells []cell) {
	for _, u := range units {
		if m.units[u] == nil {
			m.units[u] = &sheet{}
		}
		for i, c := range cells {
			(*m.units[u])[keyOf(at.Area, at.Offset+uint16(i))] = c //nolint:gosec // checked
		}
	}
}

func parseSwitch(text, typ, drift string) (uint16, error) {
	if typ != "" && !strings.EqualFold(typ, "bit") {
		return 0, fmt.Errorf("type %q, of coils and discrete inputs it is bit", typ)
	}
	if drift != "" {
		return 0, errors.New("drift is for registers")
	}
	switch strings.ToLower(text) {
	case "on", "true", "1":
		return 1, nil
	case "off", "false", "0":
		return 0, nil
	}
	return 0, fmt.Errorf("value %q of a bit, want on or off", text)
}

// registerCells are the registers of a line's value.
func registerCells(get func(column string) string) ([]cell, error) {
	format := modbus.Format{Type: modbus.Uint16}
	var err error
	if name := get("type"); name != "" {
		if format.Type, err = modbus.ParseType(name); err != nil {
			return nil, err
		}
	}
	if name := get("order"); name != "" {
		if format.Order, err = modbus.ParseOrder(name); err != nil {
			return nil, err
		}
	}
	if n := get("registers"); n != "" {
		if format.Registers, err = strconv.Atoi(n); err != nil {
			return nil, fmt.Errorf("registers: %q is no number", n)
		}
	}
	if err = format.Validate(); err != nil {
		return nil, err
	}
	value := parseValue(get("value"), format.Type)
	data, err := format.Append(nil, value)
	if err != nil {
		return nil, err
	}
	drifting, err := parseDrift(get("drift"), format, value)
	if err != nil {
		return nil, err
	}
	cells := make([]cell, format.Size())
	for i := range cells {
		cells[i] = cell{modbus.Register(data, i), drifting, uint8(i)} //nolint:gosec // 125 at most
	}
	return cells, nil
}

// parseValue is text as the number it is, or as it is.
func parseValue(text string, typ modbus.Type) modbus.Value {
	if typ == modbus.String {
		return modbus.TextValue(text)
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return modbus.IntValue(n)
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return modbus.UintValue(n)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return modbus.FloatValue(f)
	}
	return modbus.TextValue(text) // which no number's format takes
}

// parseDrift is the row of a value that drifts, whose extremes fit too; nil if
// it does not.
func parseDrift(text string, format modbus.Format, value modbus.Value) (*row, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // it does not drift
	}
	amplitude, period, ok := strings.Cut(text, "/")
	a, err := strconv.ParseFloat(strings.TrimSpace(amplitude), 64)
	p, err2 := time.ParseDuration(strings.TrimSpace(period))
	if !ok || err != nil || err2 != nil || p <= 0 || value.Kind() == modbus.KindText {
		return nil, fmt.Errorf("drift %q of %s, want AMPLITUDE/PERIOD of a number, such as 2.5/60s", text, format.Type)
	}
	f, err := strconv.ParseFloat(value.String(), 64)
	if err != nil {
		return nil, fmt.Errorf("drift of %s", value)
	}
	r := &row{format, f, a, p}
	for _, extreme := range []float64{f - a, f + a} {
		if _, err := r.append(nil, extreme); err != nil {
			return nil, fmt.Errorf("drift: %w", err)
		}
	}
	return r, nil
}

// at is the registers of the row's value at a time since the fleet was made; lines
// are shifted in phase, so that they differ.
func (r *row) at(dst []byte, now int64, phase float64) []byte {
	turns := float64(now)/float64(r.period) + phase
	out, err := r.append(dst, r.value+r.amplitude*math.Sin(2*math.Pi*turns))
	if err != nil {
		panic(err) // both extremes fit
	}
	return out
}

func (r *row) append(dst []byte, f float64) ([]byte, error) {
	if r.format.Type != modbus.Float32 && r.format.Type != modbus.Float64 {
		f = math.Round(f)
	}
	return r.format.Append(dst, modbus.FloatValue(f))
}
