package queue

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// report is what a location report of JT/T 808 becomes.
func report() *thing.Message {
	return &thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Time: time.Unix(1_790_000_000, 0).In(time.FixedZone("", 8*3600)), Fields: []thing.Field{
		{Name: "latitude", Value: thing.Decimal(22544330, 6)},
		{Name: "longitude", Value: thing.Decimal(114056631, 6)},
		{Name: "altitude", Value: thing.Int(35)},
		{Name: "speed", Value: thing.Decimal(605, 1)},
		{Name: "direction", Value: thing.Int(271)},
		{Name: "acc", Value: thing.Bool(true)},
		{Name: "positioned", Value: thing.Bool(true)},
		{Name: "alarms", Value: thing.Int(0)},
		{Name: "status", Value: thing.Int(3)},
		{Name: "mileage", Value: thing.Decimal(1234, 1)},
		{Name: "fuel", Value: thing.Decimal(411, 1)},
		{Name: "recorderSpeed", Value: thing.Decimal(603, 1)},
		{Name: "vehicleSignals", Value: thing.Int(0)},
		{Name: "signalStrength", Value: thing.Int(24)},
		{Name: "satellites", Value: thing.Int(11)},
	}}
}

var benchSender = sender{name: "013800000001", listener: "trucks", product: "a1truck0001", device: "013800000001"}

// BenchmarkRecord is making the record of a report, and a report of the record.
func BenchmarkRecord(b *testing.B) {
	m, now := report(), time.Now()
	record := appendRecord(nil, 1, now, &benchSender, m)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(record)))
		for b.Loop() {
			record = appendRecord(record[:0], 1, now, &benchSender, m)
		}
	})
	b.Run("message", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(record)))
		var out thing.Message
		w := words{}
		for b.Loop() {
			if _, ok := w.message(record, &out); !ok {
				b.Fatal("it is no record")
			}
		}
	})
}
