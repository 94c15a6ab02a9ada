package modbus

import (
	"encoding/binary"

	"github.com/linkspan/linkspan/codec"
)

// rtuDecoder finds RTU frames at any byte.
type rtuDecoder struct{ *decoder }

// Decode implements codec.Decoder.
func (d *rtuDecoder) Decode(in []byte) (*Frame, int, error) {
	n, size, response, v := 0, 0, false, no
	for ; n < len(in); n++ {
		if size, response, v = d.at(in[n:]); v != no {
			break
		}
	}
	if err := d.drop(n, "no RTU frame with a right CRC begins here"); err != nil {
		return nil, n, err
	}
	if v != yes {
		return nil, n, codec.ErrIncomplete
	}
	frame := in[n:]
	return d.take(response, 0, frame[0], frame[1:1+size]), n + size + 3, nil
}

// at is whether a frame stands at the front of in, how many bytes its PDU has,
// and what it is. Of the sizes that a request and a response would have the
// smaller one is tried first, so that what is found does not depend on how much
// has arrived.
func (d *rtuDecoder) at(in []byte) (size int, response bool, v verdict) {
	if len(in) < 2 {
		return 0, false, maybe
	}
	pdu := in[1:]
	ask, askOK := requestSize(pdu)
	answer, answerOK := responseSize(pdu)
	askOK, answerOK = askOK && d.options.Requests, answerOK && d.options.Responses
	if !askOK && !answerOK {
		return 0, false, no
	}
	if (!askOK || ask == 0) && (!answerOK || answer == 0) {
		return d.any(in, askOK, answerOK)
	}
	first, second := ask, answer
	switch {
	case !askOK:
		first, second = answer, 0
	case !answerOK:
		second = 0
	case answer < ask:
		first, second = answer, ask
	}
	for _, size := range [2]int{first, second} {
		switch {
		case size == 0 || size > MaxPDU:
			continue
		case len(in) < size+3:
			return 0, false, maybe
		case CRC(in[:size+1]) == binary.LittleEndian.Uint16(in[size+1:]):
			request, response := d.couldBe(in[1 : 1+size])
			if request && response {
				response = d.isResponse(in[0], in[1:1+size])
			}
			return size, response, yes
		}
	}
	return 0, false, no
}

// any is at for functions whose size no rule tells.
func (d *rtuDecoder) any(in []byte, ask, answer bool) (size int, response bool, v verdict) {
	if !d.options.AnyFunction {
		return 0, false, no
	}
	size, v = anySize(in)
	if v != yes {
		return 0, false, v
	}
	return size, answer && (!ask || d.isResponse(in[0], in[1:1+size])), yes
}
