package harness_test

import (
	"testing"

	"github.com/linkspan/linkspan/internal/harness"
)

func TestReport(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, line, phone string
		number            int
		ok, fails         bool
	}{
		{name: "report", line: `{"kind":"property","deviceName":"138","data":{"speed":{"value":1},"mileage":{"value":12.3,"time":1}}}`, phone: "138", number: 123, ok: true},
		{name: "whole number", line: `{"kind":"property","deviceName":"138","data":{"mileage":{"value":12}}}`, phone: "138", number: 120, ok: true},
		{name: "other kind", line: `{"kind":"event","deviceName":"138"}`},
		{name: "no mileage", line: `{"kind":"property","deviceName":"138","data":{}}`},
		{name: "no device", line: `{"kind":"property"}`, fails: true},
		{name: "no number", line: `{"kind":"property","deviceName":"138","data":{"mileage":{"value":null}}}`, fails: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			phone, number, ok, err := harness.Report([]byte(tc.line))
			if phone != tc.phone || number != tc.number || ok != tc.ok || (err != nil) != tc.fails {
				t.Errorf("%q %d %v %v", phone, number, ok, err)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	var set harness.Numbers
	for _, n := range []int{3, 64, 700} {
		if !set.Add(n) || set.Add(n) || !set.Has(n) {
			t.Errorf("%d is not there once", n)
		}
	}
	sum := 0
	set.Each(func(n int) { sum += n })
	if sum != 767 || set.Has(4) || set.Has(10_000) {
		t.Errorf("sum %d", sum)
	}
}
