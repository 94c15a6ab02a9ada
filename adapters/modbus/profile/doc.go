// Package profile says what a Modbus slave's registers mean: the points of a
// product with their addresses, types and scales, and when they are read and
// reported.
//
// [Config] is a profile as configurations have it, [ReadCSV] takes points from a
// table, and [Compile] makes a [Profile] of them, which does not change and is
// shared by all units of the product:
//
//	p, err := profile.Compile("meter", config, nil)
//	for _, g := range p.Groups { ... }          // what is polled together
//	for _, r := range g.Requests { ... }        // in the fewest requests
//	fields = p.AppendFields(fields, &r, data)   // what a response means
//
// Neighbouring points are read together: what lies between them is read too and
// thrown away, as long as it is no more than maxGap and no hole.
//
// Numbers stay exact: a register of 2305 with the scale 0.1 is the decimal 230.5.
//
// The package knows no connections and no clock.
package profile
