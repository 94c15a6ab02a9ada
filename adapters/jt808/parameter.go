package jt808

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// setParameter adds f to set. An error says what is wrong with it, and what would be
// right.
func setParameter(set *jt808.SetParameters, f thing.Field) error {
	info, ok := jt808.ParameterByName(f.Name)
	if !ok {
		return noParameter(f.Name)
	}
	value := goValue(f.Value)
	if _, isBool := value.(bool); isBool {
		value = nil // a truth is no number here: nobody knows what a terminal would make of it
	}
	if set.Set(f.Name, value) == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", parameterName(info), mistake(info, f.Value))
}

// parameterName is what pages call a parameter, with its id.
func parameterName(info jt808.ParameterInfo) string {
	id := fmt.Sprintf("0x%04X", uint32(info.ID))
	if info.Name == "" {
		return id
	}
	return info.LowerCamel() + " (" + id + ")"
}

// mistake is why v is no value for a parameter.
func mistake(info jt808.ParameterInfo, v thing.Value) string {
	text, isText := v.Text()
	switch info.Kind {
	case jt808.ParameterUint8:
		return noNumber(v, math.MaxUint8)
	case jt808.ParameterUint16:
		return noNumber(v, math.MaxUint16)
	case jt808.ParameterUint32:
		return noNumber(v, math.MaxUint32)
	case jt808.ParameterText:
		if !isText {
			return shown(v) + " is no text: write it in quotation marks"
		}
		if !utf8.ValidString(text) {
			return "the text is no UTF-8"
		}
		return "the text has more than 255 bytes as GBK"
	default:
		digits := strings.TrimPrefix(text, "0x")
		if isText && len(digits)%2 == 0 && strings.Trim(digits, "0123456789abcdefABCDEF") == "" {
			return fmt.Sprintf("%d bytes, at most 255 can be sent", len(digits)/2)
		}
		return shown(v) + " is no text of hexadecimal digits, two for each byte"
	}
}

func noNumber(v thing.Value, most uint32) string {
	return fmt.Sprintf("%s is no whole number from 0 to %d", shown(v), most)
}

// shown is the beginning of v, as JSON.
func shown(v thing.Value) string {
	const most = 40
	s := []rune(v.String())
	if len(s) > most {
		return string(s[:most]) + "..."
	}
	return string(s)
}
