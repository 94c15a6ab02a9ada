package admin

import (
	"reflect"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Stats returns a snapshot of what one room has counted: a struct whose fields
// say by their tags what they are.
//
//	type Stats struct {
//		Connections int               `metric:"linkspan_server_connections" doc:"connections open now"`
//		Closed      map[string]uint64 `metric:"linkspan_server_closed_total" label:"cause" doc:"connections closed, by cause"`
//		Listeners   []ListenerStats   // string fields tagged label are labels of the other fields
//		Connector   any               // another such struct
//	}
//
// A name that ends in _total is a counter, any other a gauge.
type Stats func() any

// StatsOf is the Stats method of a room, whatever struct it returns; nil when the
// room has none.
func StatsOf(room any) Stats {
	m := reflect.ValueOf(room).MethodByName("Stats")
	if !m.IsValid() || m.Type().NumIn() != 0 || m.Type().NumOut() != 1 {
		return nil
	}
	return func() any { return m.Call(nil)[0].Interface() }
}

// collector turns rooms' snapshots into Prometheus metrics, so that no room
// needs to know Prometheus. Collect may be called from any goroutine.
type collector struct{ sources []Stats }

// Describe implements prometheus.Collector. It tells nothing: the metrics are
// known when they are collected.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, source := range c.sources {
		collect(out, reflect.ValueOf(source()), nil, nil)
	}
}

func collect(out chan<- prometheus.Metric, v reflect.Value, names, values []string) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return
	}
	t := v.Type()
	for i := range t.NumField() {
		if label := t.Field(i).Tag.Get("label"); label != "" && t.Field(i).Type.Kind() == reflect.String {
			names, values = append(names, label), append(values, v.Field(i).String())
		}
	}
	for i := range t.NumField() {
		collectField(out, t.Field(i), v.Field(i), names, values)
	}
}

func collectField(out chan<- prometheus.Metric, f reflect.StructField, v reflect.Value, names, values []string) {
	metric := f.Tag.Get("metric")
	switch v.Kind() {
	case reflect.Map:
		if metric == "" {
			return
		}
		desc := describe(f, metric, append(names[:len(names):len(names)], f.Tag.Get("label")))
		for it := v.MapRange(); it.Next(); {
			n, ok := number(it.Value())
			if ok {
				out <- prometheus.MustNewConstMetric(desc, kind(metric), n, append(values[:len(values):len(values)], it.Key().String())...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(out, v.Index(i), names, values)
		}
	case reflect.Struct, reflect.Pointer, reflect.Interface:
		collect(out, v, names, values)
	default:
		if n, ok := number(v); ok && metric != "" {
			out <- prometheus.MustNewConstMetric(describe(f, metric, names), kind(metric), n, values...)
		}
	}
}

func describe(f reflect.StructField, metric string, labels []string) *prometheus.Desc {
	return prometheus.NewDesc(metric, f.Tag.Get("doc"), labels, nil)
}

func kind(metric string) prometheus.ValueType {
	if strings.HasSuffix(metric, "_total") {
		return prometheus.CounterValue
	}
	return prometheus.GaugeValue
}

func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	default:
		return 0, false
	}
}
