package jt808

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// extrasOf is the items of all location reports in the vectors, by id.
func extrasOf(t *testing.T) map[ExtraID][]Extra {
	t.Helper()
	all := map[ExtraID][]Extra{}
	for _, v := range vectors(t, "jt808") {
		if f := decodeOneOrNil(unhex(t, v.Hex)); f != nil && f.ID == IDLocation && !f.IsPackage() {
			var l Location
			if err := l.ParseBody(f.Body, f.Version); err != nil {
				t.Fatal(err)
			}
			for _, e := range l.Extras {
				all[e.ID] = append(all[e.ID], e)
			}
		}
	}
	return all
}

func TestSafetyAlarm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id    ExtraID
		value string
		want  string
		tyres string
	}{
		"driver assistance": {
			0x64, "000000400101010a0a01010a0a00640001b2070003640e200707192359000137363534333231200707192359010101",
			"64 1 1 [1 10 10 1 1 10] 10 100 111111 222222 200707192359 1 7654321 200707192359 1 1", "[]",
		},
		"driver assistance 2019": {
			0x64, "000000400101010a0a01010a0a00640001b2070003640e200707192359000130393837363534333231303938373635343332310000000000000000000020070719235901010001",
			"64 1 1 [1 10 10 1 1 10] 10 100 111111 222222 200707192359 1 09876543210987654321 200707192359 1 1", "[]",
		},
		"blind spot": {
			0x67, "000000430404280190000bde31000d9038200707192359000437363534333231200707192359040404",
			"67 4 4 [] 40 400 777777 888888 200707192359 4 7654321 200707192359 4 4", "[]",
		},
		"tyres, none": {
			0x66, "00000042031e012c00087a23000a2c2a20070719235900033736353433323120070719235903030300",
			"66 3 0 [] 30 300 555555 666666 200707192359 3 7654321 200707192359 3 3", "[]",
		},
		"tyres": {
			0x66, "00000042031e012c00087a23000a2c2a2007071923590003373635343332312007071923590303030202" + "00000200fa001e0063" + "010004006400050032"[2:] + "00",
			"", "",
		},
		"two tyres": {
			0x66, "00000042031e012c00087a23000a2c2a20070719235900033736353433323120070719235903030302" + "00000200fa001e0063" + "010004006400050032",
			"66 3 0 [] 30 300 555555 666666 200707192359 3 7654321 200707192359 3 3", "[{0 2 250 30 99} {1 4 100 5 50}]",
		},
		"too short":   {0x64, "00000040", "", ""},
		"another one": {0x68, "000000400101010a0a01010a0a00640001b2070003640e200707192359000137363534333231200707192359010101", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, ok := Extra{test.id, unhex(t, test.value)}.SafetyAlarm()
			if ok != (test.want != "") {
				t.Fatalf("%+v, %v", a, ok)
			}
			if !ok {
				return
			}
			got := fmt.Sprintf("%d %d %d %v %d %d %d %d %v %d %s %v %d %d", a.AlarmID, a.Flag, a.Type, a.Detail, a.Speed, a.Altitude,
				a.Latitude, a.Longitude, a.Time, a.VehicleStatus, a.Label.TerminalID, a.Label.Time, a.Label.Sequence, a.Label.Attachments)
			if got != test.want {
				t.Errorf("alarm\n %s, want\n %s", got, test.want)
			}
			if got := fmt.Sprint(a.AppendTyres(nil)); got != test.tyres {
				t.Errorf("tyres %s, want %s", got, test.tyres)
			}
		})
	}
	seen := extrasOf(t)
	for _, id := range []ExtraID{ExtraDriverAssistance, ExtraDriverMonitoring, ExtraTyreAlarm, ExtraBlindSpot, ExtraHarshDriving} {
		if len(seen[id]) == 0 {
			t.Errorf("no vector has item 0x%02x", id)
		}
		for _, e := range seen[id] {
			if a, ok := e.SafetyAlarm(); !ok || a.Flag > 4 {
				t.Errorf("item 0x%02x %x: %+v, %v", id, e.Value, a, ok)
			}
		}
	}
}

// TestVendorItems reads one value of each layout, and wants values that are a
// byte longer or shorter refused.
func TestVendorItems(t *testing.T) {
	t.Parallel()
	show := func(v any, ok bool) string {
		if !ok {
			return "no"
		}
		return fmt.Sprint(v)
	}
	for name, test := range map[string]struct {
		value string
		read  func(Extra) string
		want  string
	}{
		"temperatures": {"0100800affff0000", func(e Extra) string { return show(e.AppendTemperatures(nil)) }, "[256 -10 -32768 0]"},
		"humidities":   {"02850fff0263", func(e Extra) string { return show(e.AppendHumidities(nil)) }, "[645 -32768 611]"},
		"WiFi with a number": {
			"02f092b4a22a39ca70af6a1cc981c9", func(e Extra) string { return show(e.AppendWiFi(nil)) },
			"[{[240 146 180 162 42 57] -54} {[112 175 106 28 201 129] -55}]",
		},
		"weight":          {"0000000000099066", func(e Extra) string { return show(e.Weight()) }, "626790"},
		"battery tenths":  {"0a00", func(e Extra) string { return show(e.BatteryTenths()) }, "100"},
		"motion":          {"0300000500000001", func(e Extra) string { return show(e.Motion()) }, "{768 5 1}"},
		"locks":           {"0102030405060e10010255", func(e Extra) string { return show(e.AppendLocks(nil)) }, "[{[1 2 3 4 5 6] 3600 1 2 85}]"},
		"tyres":           {"01a1b2c3fd504b02", func(e Extra) string { return show(e.AppendTyres(nil)) }, "[{1 [161 178 195] 336 25 2}]"},
		"battery percent": {"64", func(e Extra) string { return show(e.BatteryPercent()) }, "100"},
		"battery voltage": {"5a0190", func(e Extra) string { p, v, ok := e.BatteryVoltage(); return show([]any{p, v}, ok) }, "[90 400]"},
		"battery charge":  {"015a", func(e Extra) string { f, p, ok := e.BatteryCharge(); return show([]any{f, p}, ok) }, "[1 90]"},
		"cell without signal": {
			"01cc0000696a0863a8d0", func(e Extra) string { return show(e.AppendCells(nil)) }, "[{460 0 26986 140749008 0}]",
		},
		"cells": {
			"01cc0001" + "24a402bb25153b" + "24a40d1d0f4b00", func(e Extra) string { return show(e.AppendCells(nil)) },
			"[{460 1 9380 45819157 59} {460 1 9380 220008267 0}]",
		},
		"cells of long areas": {
			"01cc0001" + "0124a402bb25153b", func(e Extra) string { return show(e.AppendCells(nil)) }, "[{460 1 74916 45819157 59}]",
		},
		"items inside": {"0004002d0fa0" + "000300a85a", func(e Extra) string { return show(e.AppendSubItems(nil)) }, "[{45 [15 160]} {168 [90]}]"},
		"OBD":          {"0002020140" + "000301ff", func(e Extra) string { return show(e.AppendOBD(nil)) }, "[{2 [1 64]} {3 [255]}]"},
		"ICCID text":   {"3839383630343032313032303930393737303032", func(e Extra) string { return show(e.ICCID()) }, "89860402102090977002"},
		"ICCID BCD":    {"89860481192070165954", func(e Extra) string { return show(e.ICCID()) }, "89860481192070165954"},
		"IMEI":         {"0865454184779820", func(e Extra) string { return show(e.IMEI()) }, "865454184779820"},
		"u16":          {"1d74", func(e Extra) string { return show(e.U16()) }, "7540"},
		"u32":          {"00003039", func(e Extra) string { return show(e.U32()) }, "12345"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := unhex(t, test.value)
			if got := test.read(Extra{0xF0, value}); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			wrongs := [][]byte{nil, value[:len(value)-1], append(slices.Clip(value), 0xFF)}
			if strings.HasPrefix(name, "cell") || strings.HasPrefix(name, "WiFi") {
				wrongs = [][]byte{nil, value[:5]} // a byte more or less is another layout
			}
			for _, wrong := range wrongs {
				if got := test.read(Extra{0xF0, wrong}); got != "no" {
					t.Errorf("%x: %s, want it refused", wrong, got)
				}
			}
		})
	}
	if got := (Extra{0xF2, []byte("V1.0\x00")}).Text(); got != "V1.0" {
		t.Errorf("text %q", got)
	}
	if _, ok := (Extra{0xF1, []byte("8986040210209097700x")}).ICCID(); ok {
		t.Error("an ICCID with an x")
	}
	if _, ok := (Extra{0xF6, unhex(t, "08654541847798ff")}).IMEI(); ok {
		t.Error("an IMEI with hexadecimal digits")
	}
}

func TestFuel(t *testing.T) {
	t.Parallel()
	if v, ok := Fuel(555).DeciLitres(); v != 555 || !ok {
		t.Errorf("%d, %v", v, ok)
	}
	if v, ok := Fuel(0x8000 | 60).Percent(); v != 60 || !ok {
		t.Errorf("%d, %v", v, ok)
	}
	if _, ok := Fuel(0x8000 | 60).DeciLitres(); ok {
		t.Error("percent read as litres")
	}
	if _, ok := Fuel(60).Percent(); ok {
		t.Error("litres read as percent")
	}
}

func TestStandardItemsOfOtherLengths(t *testing.T) {
	t.Parallel()
	l := &Location{}
	for id := range 256 {
		l.Extras = append(l.Extras, Extra{ID: ExtraID(id), Value: make([]byte, 9)})
	}
	one := func(_ any, ok bool) bool { return ok }
	for name, ok := range map[string]bool{
		"mileage": one(l.Mileage()), "fuel": one(l.Fuel()), "overspeed": one(l.Overspeed()), "crossing": one(l.Crossing()),
		"section": one(l.SectionTime()), "driving": one(l.AbnormalDriving()), "signal": one(l.SignalStrength()), "temperature": one(l.Temperature()),
	} {
		if ok {
			t.Errorf("%s of 9 bytes is taken", name)
		}
	}
	l.Extras = []Extra{{0x13, unhex(t, "0000005800580001")}, {0x18, unhex(t, "0003")}}
	if s, ok := l.SectionTime(); !ok || s != (SectionTime{88, 88, true}) {
		t.Errorf("section with a WORD at its end: %+v, %v", s, ok)
	}
	if a, ok := l.AbnormalDriving(); !ok || a != (AbnormalDriving{Kinds: 3}) {
		t.Errorf("abnormal driving without degree: %+v, %v", a, ok)
	}
	if PlaceRoute.String() != "route" || Place(9).String() != "unknown" {
		t.Error("places")
	}
}
