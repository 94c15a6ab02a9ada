package jt808

import (
	"bytes"
	"strings"
)

// registerLayout is the widths of the text fields of message 0x0100.
type registerLayout struct{ maker, model, id int }

// color is the offset of the plate colour, the last field of fixed width.
func (l registerLayout) color() int { return 4 + l.maker + l.model + l.id }

var registerLayouts = [...]registerLayout{
	V2011: {maker: 5, model: 8, id: 7},
	V2013: {maker: 5, model: 20, id: 7},
	V2019: {maker: 11, model: 30, id: 30},
}

// registerShortest is the length of a registration of 2011 without a plate: none
// is shorter.
const registerShortest = 25

// Widths that makers have given the field of the model, besides those of the
// editions: none is outside.
const (
	registerModelLeast = 8
	registerModelMost  = 30
)

// registerLooks is what of a registration looks as it should in one layout: the
// colour is one, the plate a text, the maker, model and id are texts padded on
// one side, and there is an id.
type registerLooks struct {
	color, plate, texts bool
	chinese             bool // the plate does not begin with a letter or digit
}

func (k registerLooks) all() bool { return k.color && k.plate && k.texts }

// registerLook looks at a body by the layout l, which is the one to expect if
// expected is true: then all at the end may be missing.
func registerLook(body []byte, l registerLayout, expected bool) (k registerLooks) {
	at := l.color()
	if len(body) <= at {
		return k
	}
	maker, model, id := body[4:4+l.maker], body[4+l.maker:at-l.id], body[at-l.id:at]
	plate := bytes.TrimRight(body[at+1:], "\x00")
	hasID := len(bytes.Trim(id, "\x00")) > 0 || expected && len(plate) == 0
	return registerLooks{
		color: PlateColor(body[at]).known(),
		plate: isPlate(plate) || len(plate) == 0 && (expected || len(body) == at+1),
		texts: padded(maker) && padded(model) && padded(id) && hasID,

		chinese: len(plate) > 0 && plate[0] >= 0x80,
	}
}

// plateMost is more bytes than any plate or VIN has.
const plateMost = 64

// isPlate reports whether b can be a plate, without NULs behind it: there is no
// control character in it, nor a colour, as other layouts have there. The colours
// that are no control characters are ] and ^.
func isPlate(b []byte) bool {
	if len(b) == 0 || len(b) > plateMost || b[0] == 0 || !padded(b) {
		return false
	}
	return !strings.ContainsAny(decodeText(b), string([]byte{byte(PlateYellowGreen), byte(PlateGradualGreen)}))
}

// registerFind finds the layout of a body behind a header of edition v, and the
// edition of that layout. Headers do not tell 2011 from 2013, length does not
// either (a body of 2011 with a VIN for a plate has 42 bytes), some terminals
// have the body of another edition, and others have a model of another width.
// It is the first of these:
//
//   - an edition's, of which all looks as it should;
//   - the header's, of which all but the colour does, with a Chinese plate;
//   - that of 2013 with another width of the model, if all looks as it should with
//     one width only;
//   - the header's, of which two of colour, plate and the other texts do;
//   - that of 2019, if the header is, and the body long enough.
//
// If it is none of these ok is false.
func registerFind(body []byte, v Version) (l registerLayout, edition Version, ok bool) {
	all, headers := []Version{V2013, V2011, V2019}, []Version{V2013, V2011}
	if v == V2019 {
		all, headers = []Version{V2019, V2013, V2011}, []Version{V2019}
	}
	find := func(editions []Version, is func(registerLooks) bool) bool {
		for _, edition = range editions {
			l = registerLayouts[edition]
			if is(registerLook(body, l, edition == all[0])) {
				return true
			}
		}
		return false
	}
	switch {
	case find(all, registerLooks.all),
		find(headers, func(k registerLooks) bool { return k.plate && k.texts && k.chinese }):
		return l, edition, true
	}
	if width := registerModelWidth(body); v != V2019 && width > 0 {
		l = registerLayouts[V2013]
		l.model = width
		return l, V2013, true
	}
	switch {
	case find(headers, func(k registerLooks) bool { return k.plate && (k.color || k.texts) }),
		find(headers, func(k registerLooks) bool { return k.color && k.texts }):
		return l, edition, true
	}
	return registerLayouts[all[0]], all[0], v == V2019 && len(body) > registerLayouts[V2019].color()
}

// registerModelWidth is the one width of the model with which all of a body of
// 2013 looks as it should, 0 if there is none or more than one.
func registerModelWidth(body []byte) (width int) {
	l := registerLayouts[V2013]
	for l.model = registerModelLeast; l.model <= registerModelMost; l.model++ {
		if !registerLook(body, l, false).all() {
			continue
		}
		if width > 0 {
			return 0
		}
		width = l.model
	}
	return width
}

// padded reports whether b is text without control characters, with NULs in
// front of it or behind it and nowhere else.
func padded(b []byte) bool {
	runs := 0 // of text between NULs
	in := false
	for _, c := range b {
		if c != 0 && c < ' ' {
			return false
		}
		if c != 0 && !in {
			runs++
		}
		in = c != 0
	}
	return runs <= 1
}
