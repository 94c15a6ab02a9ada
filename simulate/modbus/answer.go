package modbus

import (
	"bytes"
	"slices"

	"github.com/linkspan/linkspan/codec/modbus"
)

// answer answers a request, or does what a fault makes of that.
func (l *link) answer(now int64, request *modbus.Frame) {
	f := l.fleet
	f.requests.Add(1)
	broadcast := request.Unit == 0 && f.mode != modbus.TCP && l.bus.find(0) == nil
	pdu, ok := l.bus.answer(l.pdu[:0], request.Unit, request.PDU, broadcast)
	if !ok {
		f.unanswered.Add(1)
		return
	}
	l.pdu = pdu
	wrong := f.cfg.Faults.choose(l.random())
	if wrong != faultNone {
		f.faults[wrong].Add(1)
	}
	if wrong == faultSilence {
		return
	}
	if wrong == faultException {
		l.pdu = appendResponse(l.pdu[:0], modbus.Response{Function: request.Function(), Exception: refusals[l.rng.Uint64()%uint64(len(refusals))]})
	}
	if l.pdu[0] >= 0x80 {
		f.exceptions.Add(1)
	}
	f.answers.Add(1)
	transaction := request.Transaction
	if wrong == faultBadChecksum {
		transaction ^= 0x8000
	}
	l.out = l.packet(l.out[:0], wrong, transaction, request.Unit)
	at := now + int64(f.cfg.Latency) + int64(float64(f.cfg.Jitter)*l.random())
	switch wrong {
	case faultLate:
		l.sendAt(now, at+int64(f.cfg.Faults.LateBy), l.out)
	case faultHalf:
		l.sendAt(now, at, l.out[:len(l.out)/2])
	case faultSplit:
		middle := 1 + int(l.rng.Uint64()%uint64(len(l.out)-1)) //nolint:gosec // short
		l.sendAt(now, at, l.out[:middle])
		l.sendAt(now, at+int64(splitBy), l.out[middle:])
	default:
		l.sendAt(now, at, l.out)
	}
}

// packet returns dst with the packet of the answer in l.pdu behind it, and what a
// fault puts around that.
func (l *link) packet(dst []byte, wrong fault, transaction uint16, unit uint8) []byte {
	dst = append(dst, l.prefix...)
	switch wrong {
	case faultGlued:
		dst = append(dst, l.heartbeat...)
	case faultNoise:
		for range 1 + l.rng.Uint64()%maxNoise {
			dst = append(dst, byte(l.rng.Uint64()))
		}
	default:
	}
	dst = modbus.AppendFrame(dst, l.fleet.mode, transaction, unit, l.pdu)
	switch {
	case wrong == faultBadChecksum && l.fleet.mode == modbus.RTU:
		dst[len(dst)-1] ^= 0x55
	case wrong == faultBadChecksum && l.fleet.mode == modbus.ASCII:
		lrc := dst[len(dst)-3:]
		if lrc[0]++; lrc[0] == '9'+1 || lrc[0] == 'F'+1 {
			lrc[0] = '0'
		}
	case wrong == faultGlued:
		dst = append(dst, l.heartbeat...)
	}
	return dst
}

// sendAt sends a packet at a time; what waits has to be in order with it.
func (l *link) sendAt(now, at int64, packet []byte) {
	if at <= now && (len(l.delayed) == 0 || l.delayed[0].at > now) {
		l.write(now, packet)
		return
	}
	if len(l.delayed) >= maxDelayed {
		l.fleet.dropped.Add(1)
		return
	}
	i, _ := slices.BinarySearchFunc(l.delayed, at+1, func(d delayed, t int64) int { return int(min(max(d.at-t, -1), 1)) })
	l.delayed = slices.Insert(l.delayed, i, delayed{at, bytes.Clone(packet)})
}

// sendDelayed sends what has waited for its time.
func (l *link) sendDelayed(now int64) {
	for len(l.delayed) > 0 && l.delayed[0].at <= now {
		packet := l.delayed[0].packet
		l.delayed = slices.Delete(l.delayed, 0, 1)
		l.write(now, packet)
	}
}

// push sends, for each slave, registers that nobody has asked for.
func (l *link) push(now int64) {
	cfg := &l.fleet.cfg
	request, err := modbus.Request{
		Function: modbus.ReadHoldingRegisters,
		Address:  uint16(cfg.PushAddress), Quantity: uint16(cfg.PushQuantity), //nolint:gosec // checked
	}.Append(nil)
	if err != nil {
		panic(err) // the configuration was checked
	}
	for _, s := range l.bus.slaves { // units do not change
		pdu, ok := l.bus.answer(l.pdu[:0], s.unit, request, false)
		if !ok {
			continue
		}
		l.pdu = pdu
		l.out = l.packet(l.out[:0], faultNone, 0, s.unit)
		l.fleet.pushes.Add(1)
		l.write(now, l.out)
	}
}
