package modbus

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

// rawServices are the names of the service that sends any request: platforms that
// allow no period in names have the second one.
var rawServices = []string{"modbus.raw", "modbusRaw"}

// service plans the service of any request.
func (k *command) service() error {
	if !slices.Contains(rawServices, k.cmd.Name) {
		return &thing.ReplyError{State: thing.Unsupported, Text: "there is no service " + k.cmd.Name + ": there is " + strings.Join(rawServices, ", also called ")}
	}
	if _, given := thing.Get(k.cmd.Fields, "pdu"); given {
		return k.servicePDU()
	}
	return k.serviceFields()
}

// servicePDU takes the request as hexadecimal digits.
func (k *command) servicePDU() error {
	v, _ := thing.Get(k.cmd.Fields, "pdu")
	text, _ := v.Text()
	pdu, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil || len(pdu) == 0 {
		return invalid("pdu: %s, must be a text, a function code and its data in hexadecimal digits, such as \"0300000002\"", v)
	}
	number, err := k.unitNumber()
	if err != nil {
		return err
	}
	return k.raw(number, pdu)
}

// integer is the input of that name, or least-1 when it is missing.
func (k *command) integer(name string, least, most int64, required bool) (int64, error) {
	v, given := thing.Get(k.cmd.Fields, name)
	if !given && !required {
		return least - 1, nil
	}
	n, ok := v.Int()
	if !ok || n < least || n > most {
		return 0, invalid("%s: %s, must be from %d to %d", name, v, least, most)
	}
	return n, nil
}

// unitNumber is the unit that is asked: the device's own, or the input unit.
func (k *command) unitNumber() (uint8, error) {
	own := k.l.of(k.session)
	n, err := k.integer("unit", 0, 255, own == nil && len(k.l.units) != 1)
	switch {
	case err != nil:
		return 0, err
	case own == nil && n < 0:
		return k.l.units[0].number, nil
	case own == nil:
		return uint8(n), nil //nolint:gosec // checked
	case n >= 0 && n != int64(own.number):
		return 0, invalid("unit: %d, but this device is unit %d", n, own.number)
	}
	return own.number, nil
}

// serviceFields takes the request as function, address, quantity and values.
func (k *command) serviceFields() error {
	number, err := k.unitNumber()
	if err != nil {
		return err
	}
	function, err := k.integer("function", 1, 127, true)
	if err != nil {
		return err
	}
	address, err := k.integer("address", 0, 0xffff, true)
	if err != nil {
		return err
	}
	r := modbus.Request{Function: modbus.Function(function), Address: uint16(address)} //nolint:gosec // checked
	switch r.Function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters:
		quantity, invalid := k.integer("quantity", 1, modbus.MaxReadBits, true)
		if invalid != nil {
			return invalid
		}
		r.Quantity = uint16(quantity) //nolint:gosec // checked
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister, modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters:
		if err = k.writeValues(&r); err != nil {
			return err
		}
	default:
		return invalid("function: %d, must be from 1 to 6, 15 or 16: others are sent with pdu", function)
	}
	pdu, err := r.Append(nil)
	if err != nil {
		return invalid("%v", err)
	}
	return k.raw(number, pdu)
}

// writeValues takes the input values: a list, or one.
func (k *command) writeValues(r *modbus.Request) error {
	v, _ := thing.Get(k.cmd.Fields, "values")
	list := v.List()
	if list == nil {
		list = []thing.Value{v}
	}
	words := make([]uint16, len(list))
	bits := r.Function == modbus.WriteSingleCoil || r.Function == modbus.WriteMultipleCoils
	truths := make([]bool, len(list))
	for i, v := range list {
		n, ok := v.Int()
		if bits {
			truths[i], ok = v.Bool()
		}
		if !ok || n < -1<<15 || n > 0xffff {
			return invalid("values: %s, must be a number or a list of numbers that fit a register, or of truths for coils", v)
		}
		words[i] = uint16(n) //nolint:gosec // checked; negative ones in two's complement
	}
	single := r.Function == modbus.WriteSingleCoil || r.Function == modbus.WriteSingleRegister
	switch {
	case len(list) == 0 || single && len(list) != 1:
		return invalid("values: %d of them, function %d writes one", len(list), r.Function)
	case r.Function == modbus.WriteSingleCoil:
		r.Value = modbus.CoilValue(truths[0])
	case single:
		r.Value = words[0]
	case bits:
		r.Quantity, r.Data = uint16(len(list)), modbus.AppendBits(nil, truths...) //nolint:gosec // Append checks it
	default:
		r.Quantity, r.Data = uint16(len(list)), modbus.AppendRegisters(nil, words...) //nolint:gosec // likewise
	}
	return nil
}

// rawDown plans the platform's raw bytes: a PDU, behind its unit if the device is
// the line.
func (k *command) rawDown() error {
	own, raw := k.l.of(k.session), k.cmd.Raw
	if own != nil {
		return k.raw(own.number, raw)
	}
	if len(raw) < 1 {
		return invalid("raw data begins with the unit")
	}
	return k.raw(raw[0], raw[1:])
}

// raw plans any request.
func (k *command) raw(number uint8, pdu []byte) error {
	if _, err := modbus.ParseRequest(pdu); err != nil {
		return invalid("the request is none: %v", err)
	}
	if number == 0 && k.l.mode != modbus.TCP {
		return invalid("unit 0 is all units of a serial line, and none of them answers")
	}
	s := step{kind: stepRaw, number: number, pdu: pdu}
	for i := range k.l.units {
		if k.l.units[i].number == number {
			s.unit = &k.l.units[i]
		}
	}
	return k.add(s)
}

// rawAnswered ends the command with what the unit answered.
func (k *command) rawAnswered(s *step, pdu []byte, exception modbus.Exception) {
	if k.cmd.Kind == thing.RawDown {
		k.replyRaw(thing.Done, 0, "", nil, pdu)
		return
	}
	fields := []thing.Field{{Name: "pdu", Value: thing.String(hex.EncodeToString(pdu))}}
	if exception != 0 {
		k.reply(thing.Refused, int(exception), exception.String(), fields)
		return
	}
	if values := valuesIn(s.pdu, pdu); values != nil {
		fields = append(fields, thing.Field{Name: "values", Value: thing.List(values...)})
	}
	k.reply(thing.Done, 0, "", fields)
}

// valuesIn is the bits or registers that were read.
func valuesIn(request, pdu []byte) (values []thing.Value) {
	asked, err := modbus.ParseRequest(request)
	if err != nil {
		return nil
	}
	switch asked.Function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs:
		for i := range int(asked.Quantity) {
			n := int64(0)
			if modbus.Bit(pdu[2:], i) {
				n = 1
			}
			values = append(values, thing.Int(n))
		}
	case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters, modbus.ReadWriteMultipleRegisters:
		for i := range int(asked.Quantity) {
			values = append(values, thing.Int(int64(modbus.Register(pdu[2:], i))))
		}
	default:
	}
	return values
}
