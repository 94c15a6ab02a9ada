package profile

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

func compile(tb testing.TB, points map[string]Point, change ...func(*Config)) *Profile {
	tb.Helper()
	c := DefaultConfig()
	c.Points = points
	for _, f := range change {
		f(&c)
	}
	p, err := Compile("test", c, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// decode is the value of the one point p in registers.
func decode(tb testing.TB, p Point, registers ...uint16) (thing.Value, error) {
	tb.Helper()
	if p.Address == "" {
		p.Address = "40001"
	}
	c := compile(tb, map[string]Point{"p": p})
	v, _, err := c.Value(0, &c.Groups[0].Requests[0], modbus.AppendRegisters(nil, registers...))
	return v, err
}

func TestValues(t *testing.T) {
	t.Parallel()
	two, none := 2, 0
	for name, c := range map[string]struct {
		point     Point
		registers []uint16
		want      string // JSON
	}{
		"plain":              {Point{}, []uint16{65535}, "65535"},
		"int16":              {Point{Type: "int16"}, []uint16{0xfffe}, "-2"},
		"scale":              {Point{Scale: "0.1"}, []uint16{2305}, "230.5"},
		"scale keeps zeros":  {Point{Scale: "0.01"}, []uint16{2300}, "23.00"},
		"scale of a whole":   {Point{Scale: "100"}, []uint16{23}, "2300"},
		"offset":             {Point{Type: "int16", Scale: "0.5", Offset: "-40"}, []uint16{81}, "0.5"},
		"decimals":           {Point{Scale: "0.001", Decimals: &two}, []uint16{2345}, "2.35"},
		"no decimals":        {Point{Type: "int16", Scale: "0.1", Decimals: &none}, []uint16{0xffe7}, "-3"},
		"exponent":           {Point{Scale: "1e-3"}, []uint16{1}, "0.001"},
		"uint32 CDAB":        {Point{Type: "uint32", Order: "CDAB"}, []uint16{2, 1}, "65538"},
		"int64":              {Point{Type: "int64"}, []uint16{0x8000, 0, 0, 0}, "-9223372036854775808"},
		"uint64":             {Point{Type: "uint64"}, []uint16{0xffff, 0xffff, 0xffff, 0xffff}, "18446744073709552000"},
		"uint64 as text":     {Point{Type: "uint64", AsText: true}, []uint16{0xffff, 0xffff, 0xffff, 0xffff}, `"18446744073709551615"`},
		"int64 as text":      {Point{Type: "int64", AsText: true}, []uint16{0x8000, 0, 0, 0}, `"-9223372036854775808"`},
		"int64 and scale":    {Point{Type: "int64", Scale: "0.001"}, []uint16{0x7fff, 0xffff, 0xffff, 0xffff}, "9223372036854775.807"},
		"too long a product": {Point{Type: "int64", Scale: "1000"}, []uint16{0x7fff, 0xffff, 0xffff, 0xffff}, "9.223372036854776e+21"},
		"float32":            {Point{Type: "float32"}, []uint16{0x3dcc, 0xcccd}, "0.1"},
		"float32 and scale":  {Point{Type: "float", Scale: "10"}, []uint16{0x3dcc, 0xcccd}, "1.0"},
		"float32, whole":     {Point{Type: "float32"}, []uint16{0x47f1, 0x2000}, "123456"},
		"float32, large":     {Point{Type: "float32"}, []uint16{0x7f7f, 0xffff}, "3.4028234663852886e+38"},
		"float32, tiny":      {Point{Type: "float32"}, []uint16{0x0000, 0x0001}, "1.401298464324817e-45"},
		"float32, decimals":  {Point{Type: "float32", Decimals: &two}, []uint16{0x4048, 0xf5c3}, "3.14"},
		"float64":            {Point{Type: "double"}, []uint16{0x3fb9, 0x9999, 0x9999, 0x999a}, "0.1"},
		"bcd":                {Point{Type: "bcd", Registers: 2, Scale: "0.01"}, []uint16{0x0012, 0x3456}, "1234.56"},
		"sign and magnitude": {Point{Type: "signMagnitude"}, []uint16{0x8005}, "-5"},
		"bit":                {Point{Type: "bool", Bit: 2}, []uint16{4}, "true"},
		"bits":               {Point{Type: "bitField", Bit: 4, Bits: 4, Scale: "2"}, []uint16{0x00a0}, "20"},
		"string":             {Point{Type: "string", Registers: 3}, []uint16{0x4142, 0x4320, 0x2020}, `"ABC"`},
		"enum":               {Point{Enum: map[string]string{"0": "off", "0x01": "on"}}, []uint16{1}, `"on"`},
		"enum, unknown":      {Point{Enum: map[string]string{"0": "off"}}, []uint16{7}, `"7"`},
		"enum, negative":     {Point{Type: "int16", Enum: map[string]string{"-1": "fault"}}, []uint16{0xffff}, `"fault"`},
		"enum of a bit":      {Point{Type: "bit", Enum: map[string]string{"0": "open", "1": "closed"}}, []uint16{1}, `"closed"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := decode(t, c.point, c.registers...)
			if err != nil || v.String() != c.want {
				t.Errorf("%s, %v; want %s", v, err, c.want)
			}
		})
	}
}

func TestNoValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		point     Point
		registers []uint16
		want      error
	}{
		"invalid":           {Point{Invalid: []string{"0x7FFF", "0xFFFF"}}, []uint16{0xffff}, ErrNoValue},
		"invalid, signed":   {Point{Type: "int16", Invalid: []string{"-1"}}, []uint16{0xffff}, ErrNoValue},
		"invalid, as bytes": {Point{Type: "int16", Invalid: []string{"0x8000"}}, []uint16{0x8000}, ErrNoValue},
		"no BCD":            {Point{Type: "bcd"}, []uint16{0x000a}, modbus.ErrValue},
		"NaN":               {Point{Type: "float32"}, []uint16{0x7fc0, 0}, modbus.ErrValue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := decode(t, c.point, c.registers...); !errors.Is(err, c.want) {
				t.Errorf("%s, %v; want %v", v, err, c.want)
			}
		})
	}
}

// What is written is what is read afterwards.
// Numbers that mean no value: in hexadecimal digits as registers have them, in
// decimal ones as they are read.
func TestInvalid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		point   Point
		none    string // registers that have no value
		another string // and some that have one
	}{
		"int16":               {Point{Type: "int16", Invalid: []string{"0x8000"}}, "8000", "7fff"},
		"int16, decimal":      {Point{Type: "int16", Invalid: []string{"-32768"}}, "8000", "7fff"},
		"int16, unsigned":     {Point{Type: "int16", Invalid: []string{"32768"}}, "8000", "7fff"},
		"uint16":              {Point{Invalid: []string{"65535"}}, "ffff", "fffe"},
		"other order":         {Point{Type: "uint32", Order: "CDAB", Invalid: []string{"0x7FFFFFFF"}}, "ffff7fff", "7fffffff"},
		"uint64":              {Point{Type: "uint64", Invalid: []string{"18446744073709551615"}}, "ffffffffffffffff", "7fffffffffffffff"},
		"float32":             {Point{Type: "float32", Invalid: []string{"0xFF7FFFFF"}}, "ff7fffff", "ff7ffffe"},
		"float32, decimal":    {Point{Type: "float32", Invalid: []string{"-9999"}}, "c61c3c00", "461c3c00"},
		"float32, a fraction": {Point{Type: "float32", Invalid: []string{"-999.9"}}, "c479f99a", "c479f99b"},
		"float64":             {Point{Type: "float64", Invalid: []string{"-1"}}, "bff0000000000000", "3ff0000000000000"},
		"sign and magnitude":  {Point{Type: "signMagnitude", Invalid: []string{"0xFFFF"}}, "ffff", "8001"},
		"the same, decimal":   {Point{Type: "signMagnitude", Invalid: []string{"-1"}}, "8001", "ffff"},
		"BCD":                 {Point{Type: "bcd", Invalid: []string{"0x9999"}}, "9999", "9998"},
		"BCD, decimal":        {Point{Type: "bcd", Invalid: []string{"9999"}}, "9999", "2706"},
		"bit field":           {Point{Type: "bitField", Bit: 4, Bits: 4, Invalid: []string{"15"}}, "12f4", "ffe0"},
	} {
		c.point.Address = "40001"
		p, err := Compile("test", func() Config { x := DefaultConfig(); x.Points = map[string]Point{"p": c.point}; return x }(), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for registers, none := range map[string]bool{c.none: true, c.another: false} {
			data, _ := hex.DecodeString(registers)
			if v, _, err := p.Points[0].Decode(data); errors.Is(err, ErrNoValue) != none || err != nil && !none {
				t.Errorf("%s: %s is %s, %v", name, registers, v, err)
			}
		}
	}
	_, err := Compile("test", func() Config {
		x := DefaultConfig()
		x.Points = map[string]Point{"p": {Address: "40001", Invalid: []string{"1.5"}}}
		return x
	}(), nil)
	if err == nil || !strings.Contains(err.Error(), "invalid") {
		t.Errorf("a fraction of a whole number: %v", err)
	}
}

func TestWritingAndReadingBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		p := Point{
			Address: "40001", Access: "rw",
			Type:   rapid.SampledFrom([]string{"int16", "uint16", "int32", "uint32", "int64", "bcd", "signMagnitude"}).Draw(r, "type"),
			Order:  rapid.SampledFrom([]string{"ABCD", "CDAB", "BADC", "DCBA"}).Draw(r, "order"),
			Scale:  rapid.SampledFrom([]string{"", "0.1", "0.05", "2", "-0.001", "1000"}).Draw(r, "scale"),
			Offset: rapid.SampledFrom([]string{"", "-40", "0.25"}).Draw(r, "offset"),
		}
		if p.Type == "bcd" || p.Type == "signMagnitude" {
			p.Registers = rapid.IntRange(1, 2).Draw(r, "registers")
		}
		c, err := Compile("test", func() Config { c := DefaultConfig(); c.Points = map[string]Point{"p": p}; return c }(), nil)
		if err != nil {
			r.Fatal(err)
		}
		data := rapid.SliceOfN(rapid.Byte(), 2*c.Points[0].Size(), 2*c.Points[0].Size()).Draw(r, "data")
		request := &c.Groups[0].Requests[0]
		v, _, err := c.Value(0, request, data)
		if err != nil || v.Type() == thing.FloatType {
			return // not every register holds a value, and not every value fits a decimal
		}
		w, err := c.Points[0].Writing(v)
		if err != nil {
			r.Fatalf("%s cannot be written: %v", v, err)
		}
		if w.Data == nil {
			w.Data = modbus.AppendRegisters(nil, w.Value)
		}
		again, _, err := c.Value(0, request, w.Data)
		if err != nil || again.String() != v.String() || !c.Points[0].Same(v, again) {
			r.Fatalf("%x is %s, written as %x is %s, %v", data, v, w.Data, again, err)
		}
	})
}

// JSON numbers above 2^63 - 1 and with more than 15 digits reach linkspan as binary
// floating point numbers, which may be others than were written: they are refused,
// and texts are exact.
func TestWritingLargeNumbers(t *testing.T) {
	t.Parallel()
	type want struct {
		registers string
		text      string // of the error
	}
	for name, test := range map[string]struct {
		typ, scale, json string
		want
	}{
		"the largest int64":              {"uint64", "", "9223372036854775807", want{registers: "7fffffffffffffff"}},
		"above, as a number":             {"uint64", "", "9223372036854775808", want{text: "as a text"}},
		"the largest uint64 as a number": {"uint64", "", "18446744073709551615", want{text: "as a text"}},
		"a round one, which is not sure": {"uint64", "", "10000000000000000001", want{text: "as a text"}},
		"above, as a text":               {"uint64", "", `"9223372036854775808"`, want{registers: "8000000000000000"}},
		"the largest uint64 as a text":   {"uint64", "", `"18446744073709551615"`, want{registers: "ffffffffffffffff"}},
		"too large, as a text":           {"uint64", "", `"18446744073709551616"`, want{text: "out of range"}},
		"too large for int64":            {"int64", "", `"9223372036854775808"`, want{text: "does not fit int64"}},
		"the lowest int64":               {"int64", "", "-9223372036854775808", want{registers: "8000000000000000"}},
		"many digits with a scale":       {"uint64", "0.001", "1844674407370955.161", want{text: "as a text"}},
		"the same as a text":             {"uint64", "0.001", `"1844674407370955.161"`, want{registers: "1999999999999999"}},
		"15 digits with a scale":         {"uint64", "0.001", "123456789012.345", want{registers: "00007048860ddf79"}},
		"a whole float":                  {"uint32", "", "1e3", want{registers: "000003e8"}},
		"what takes long to read":        {"float64", "", `"1e-1000000"`, want{text: "none of its values"}},
		"what takes longer to read":      {"uint64", "", `"1e1000000"`, want{text: "none of its values"}},
		"an exponent in a text":          {"float64", "", `"1e300"`, want{registers: "7e37e43c8800759c"}},
		"hexadecimal digits in a text":   {"uint32", "", `"0x1e00000"`, want{registers: "01e00000"}},
		"a float for a float":            {"float64", "", "1e300", want{registers: "7e37e43c8800759c"}},
	} {
		c, err := Compile("test", func() Config {
			c := DefaultConfig()
			c.Points = map[string]Point{"p": {Address: "40001", Type: test.typ, Scale: test.scale, Access: "rw"}}
			return c
		}(), nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := thing.ParseJSON([]byte(test.json))
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Points[0].Writing(v)
		switch {
		case test.text != "":
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s: %x, %v", name, r.Data, err)
			}
		case err != nil || hex.EncodeToString(r.Data) != test.registers:
			t.Errorf("%s: %x, %v; want %s", name, r.Data, err, test.registers)
		}
	}
}

func plan(p *Profile) string {
	var all []string
	for _, g := range p.Groups {
		for i := range g.Requests {
			all = append(all, g.Interval.String()+" "+g.Requests[i].String())
		}
	}
	return strings.Join(all, ", ")
}

func TestNeighboursAreReadTogether(t *testing.T) {
	t.Parallel()
	at := func(addresses ...string) map[string]Point {
		points := map[string]Point{}
		for _, a := range addresses {
			points["p"+a] = Point{Address: a}
		}
		return points
	}
	for name, c := range map[string]struct {
		points map[string]Point
		change func(*Config)
		want   string
	}{
		"side by side":    {at("40001", "40002", "40003"), nil, "30s holdingRegister:0+3"},
		"gap":             {at("40001", "40010"), nil, "30s holdingRegister:0+10"},
		"too large a gap": {at("40001", "40011"), nil, "30s holdingRegister:0+1, 30s holdingRegister:10+1"},
		"no gap":          {at("40001", "40003"), func(c *Config) { c.MaxGap = 0 }, "30s holdingRegister:0+1, 30s holdingRegister:2+1"},
		"too long":        {at("40001", "40005", "40009"), func(c *Config) { c.MaxLength = 5 }, "30s holdingRegister:0+5, 30s holdingRegister:8+1"},
		"areas":           {at("00001", "10001", "30001", "40001"), nil, "30s coil:0+1, 30s discreteInput:0+1, 30s inputRegister:0+1, 30s holdingRegister:0+1"},
		"coils":           {at("00001", "00130"), nil, "30s coil:0+130"},
		"a hole":          {at("40001", "40005"), func(c *Config) { c.Holes = []string{"40003"} }, "30s holdingRegister:0+1, 30s holdingRegister:4+1"},
		"a hole behind":   {at("40001", "40005"), func(c *Config) { c.Holes = []string{"40006-40010", "30003"} }, "30s holdingRegister:0+5"},
		"base 1":          {map[string]Point{"a": {Address: "1", Area: "holding"}, "b": {Address: "2", Function: 3}}, func(c *Config) { c.Base = 1 }, "30s holdingRegister:0+2"},
		"intervals":       {map[string]Point{"a": {Address: "40001"}, "b": {Address: "40002", Interval: time.Second}}, nil, "1s holdingRegister:1+1, 30s holdingRegister:0+1"},
		"overlapping":     {map[string]Point{"a": {Address: "40001", Type: "uint32"}, "b": {Address: "40002"}, "c": {Address: "40001"}}, nil, "30s holdingRegister:0+2"},
		"only written":    {map[string]Point{"a": {Address: "40001"}, "b": {Address: "40002", Access: "w"}}, nil, "30s holdingRegister:0+1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.change == nil {
				c.change = func(*Config) {}
			}
			if got := plan(compile(t, c.points, c.change)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// However points lie, each is read once, whole, in requests that are allowed.
func TestPlansAreWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		c := DefaultConfig()
		c.MaxGap, c.MaxLength = rapid.IntRange(0, 20).Draw(r, "gap"), rapid.IntRange(4, 125).Draw(r, "length")
		c.Points = map[string]Point{}
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 400), 1, 40).Draw(r, "addresses") {
			p := Point{Address: modbus.Address{Area: modbus.Area(n%4) + 1, Offset: uint16(n)}.String()}
			if modbus.Area(n%4)+1 >= modbus.InputRegisters {
				p.Type = rapid.SampledFrom([]string{"uint16", "uint32", "uint64"}).Draw(r, "type")
			}
			c.Points[p.Address] = p
		}
		p, err := Compile("test", c, nil)
		if err != nil {
			r.Fatal(err)
		}
		read := map[int]int{}
		for _, g := range p.Groups {
			for i := range g.Requests {
				q := &g.Requests[i]
				if _, err := modbus.ParseRequest(q.PDU); err != nil {
					r.Errorf("%s: %v", q, err)
				}
				if most := map[bool]int{true: min(16*c.MaxLength, modbus.MaxReadBits), false: c.MaxLength}[q.Area.Bits()]; int(q.Quantity) > most {
					r.Errorf("%s is longer than %d", q, most)
				}
				for _, at := range q.Points {
					if read[at]++; !q.Covers(&p.Points[at]) {
						r.Errorf("%s does not cover %s", q, p.Points[at].Address)
					}
				}
			}
		}
		for i := range p.Points {
			if read[i] != 1 {
				r.Errorf("%s is read %d times", p.Points[i].Name, read[i])
			}
		}
	})
}

func TestChanges(t *testing.T) {
	t.Parallel()
	mark := func(p *Profile, n uint16) Mark {
		_, m, err := p.Value(0, &p.Groups[0].Requests[0], modbus.AppendRegisters(nil, n))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	p := compile(t, map[string]Point{"a": {Address: "40001", Report: "change"}})
	if !p.Points[0].Changed(mark(p, 5), mark(p, 6)) || p.Points[0].Changed(mark(p, 5), mark(p, 5)) {
		t.Error("without a dead-band any difference counts")
	}
	p = compile(t, map[string]Point{"a": {Address: "40001", Type: "int16", Scale: "0.1", Report: "change", Deadband: "0.5"}})
	if p.Points[0].Changed(mark(p, 10), mark(p, 15)) || !p.Points[0].Changed(mark(p, 10), mark(p, 16)) || !p.Points[0].Changed(mark(p, 0xffff), mark(p, 5)) {
		t.Error("a dead-band of 0.5 is five steps of 0.1")
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	minus, hour := -1, -time.Hour
	for key, p := range map[string]Point{
		"area":      {Area: "flash", Address: "1"},
		"function":  {Function: 5, Address: "1"},
		"address":   {Address: "1"},
		"type":      {Address: "40001", Type: "int17"},
		"order":     {Address: "40001", Order: "AB"},
		"registers": {Address: "40001", Type: "string", Registers: 110},
		"bits":      {Address: "40001", Type: "bit", Bits: 2},
		"scale":     {Address: "40001", Scale: "0"},
		"offset":    {Address: "40001", Offset: "x"},
		"decimals":  {Address: "40001", Decimals: &minus},
		"asText":    {Address: "40001", Type: "float32", AsText: true},
		"enum":      {Address: "40001", Enum: map[string]string{"off": "0"}},
		"invalid":   {Address: "40001", Invalid: []string{"none"}},
		"access":    {Address: "30001", Access: "rw"},
		"write":     {Address: "40001", Type: "uint32", Write: "single"},
		"min":       {Address: "40001", Min: "2", Max: "1"},
		"interval":  {Address: "40001", Interval: time.Millisecond},
		"report":    {Address: "40001", Report: "never"},
		"deadband":  {Address: "40001", Deadband: "1"},
		"atLeast":   {Address: "40001", AtLeast: &hour},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			c := DefaultConfig()
			c.Points = map[string]Point{"good": {Address: "40100"}, "bad": p}
			_, err := Compile("test", c, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "point bad: "+key+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one mistake in %s", err, key)
			}
		})
	}
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	text := "\ufeffName;Address;TYPE;scale;enum;access;interval;decimals;asText\r\n" +
		"# the meter\r\n" +
		"voltage;40001;uint16;0.1;;;;1;\r\n" +
		"\r\n" +
		"mode;40010;;;0=off;rw;10s;;\r\n" +
		"total;40020;uint64;;;;;;true\r\n"
	points, err := ReadCSV([]byte(text))
	if err != nil || len(points) != 3 || !points["total"].AsText || points["mode"].AsText {
		t.Errorf("%d points, %v", len(points), err)
	}
	v := points["voltage"]
	if v.Address != "40001" || v.Type != "uint16" || v.Scale != "0.1" || v.Decimals == nil || *v.Decimals != 1 || v.Access != "r" {
		t.Errorf("%+v", v)
	}
	m := points["mode"]
	if m.Enum["0"] != "off" || m.Access != "rw" || m.Interval != 10*time.Second {
		t.Errorf("%+v", m)
	}
}

func TestReadCSVTellsAllMistakes(t *testing.T) {
	t.Parallel()
	text := "name,address,colour,interval,bit,enum\na,40001,,soon,,\n,40002\nb,40003,,,x,off\na,40004\nc,1,2,3,4,5,6\n"
	_, err := ReadCSV([]byte(text))
	if err == nil {
		t.Fatal("no mistake was found")
	}
	for _, want := range []string{
		`line 1: no column is called "colour"`, "line 2: point a: interval:", "line 3: it has no name", "line 4: point b: bit:",
		"line 4: point b: enum:", "line 5: point a stands there twice", "line 6: 7 cells, but there are 6 columns",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
	if _, err := ReadCSV([]byte("address\n1\n")); err == nil || !strings.Contains(err.Error(), "no column name") {
		t.Errorf("%v", err)
	}
	if _, err := ReadCSV(nil); err == nil {
		t.Error("an empty table is taken")
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.CSV = "meter.csv"
	c.Points = map[string]Point{"b": {Address: "40002"}}
	read := func(text string) func(string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			if name != "meter.csv" {
				t.Errorf("%s was read", name)
			}
			return []byte(text), nil
		}
	}
	p, err := Compile("test", c, read("name,address\na,40001\n"))
	if err != nil || len(p.Points) != 2 {
		t.Errorf("%v", err)
	}
	if _, err := Compile("test", c, read("name,address\nb,40001\n")); err == nil || !strings.Contains(err.Error(), "point b stands in points too") {
		t.Errorf("%v", err)
	}
	if _, err := Compile("test", c, func(string) ([]byte, error) { return nil, errors.New("no such file") }); err == nil {
		t.Error("a missing table is no mistake")
	}
}

// FuzzReadCSV holds tables to what they promise: no more points than there may
// be, with names, and what is read can be compiled or has mistakes that are told.
func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("name,address,type,scale\nvoltage,40001,uint16,0.1\n"))
	f.Add([]byte("Name;Function;Address;Enum\nmode;3;9;0=off\n"))
	f.Add([]byte("\ufeffname\taddress\tbits\nx\t40001\t\n\n#c\n"))
	f.Add([]byte("name,address\n\"a\nb\",1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		points, err := ReadCSV(text)
		if len(points) > MaxPoints {
			t.Errorf("%d points", len(points))
		}
		for name := range points {
			if strings.TrimSpace(name) == "" {
				t.Error("a point without a name")
			}
		}
		if err != nil || len(points) == 0 {
			return
		}
		c := DefaultConfig()
		c.Points = points
		p, err := Compile("test", c, nil)
		if err == nil && len(p.Points) != len(points) {
			t.Errorf("%d points became %d", len(points), len(p.Points))
		}
	})
}

func BenchmarkAppendFields(b *testing.B) {
	points := map[string]Point{}
	for i := range 10 {
		points[string(rune('a'+i))] = Point{Address: modbus.Address{Area: modbus.HoldingRegisters, Offset: uint16(2 * i)}.String(), Type: []string{"uint16", "float32"}[i%2], Scale: "0.1"}
	}
	p := compile(b, points)
	data := make([]byte, 40)
	for i := range data {
		data[i] = byte(0x41 + i)
	}
	fields := make([]thing.Field, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		fields, _ = p.AppendFields(fields[:0], &p.Groups[0].Requests[0], data)
	}
}
