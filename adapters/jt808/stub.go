package jt808

import (
	"github.com/linkspan/linkspan/codec/jt808"
)

type Sink interface{ Close() }
type packages struct{}
type commands struct{}

func newFileSink(Multimedia, *counters) Sink { return nil }
func (a *adapter) dropCommands()             {}
func (a *adapter) dropPackages()             {}
func (a *adapter) addPackage(c *conn, s *scratch, f *jt808.Frame) {
	a.answer(c, s, f.ID, f.Serial, jt808.ResultUnsupported)
}
func (a *adapter) other(c *conn, s *scratch, f *jt808.Frame) {
	a.answer(c, s, f.ID, f.Serial, jt808.ResultUnsupported)
}
func answered(id jt808.ID) bool {
	switch id {
	case jt808.IDTerminalResponse, jt808.IDParameters, jt808.IDAttributes, jt808.IDLocationResponse,
		jt808.IDVehicleControlResponse, jt808.IDAreaQueryResponse, jt808.IDRecorderData,
		jt808.IDMediaSearchResponse, jt808.IDShotResponse, jt808.IDTerminalKey, jt808.IDAVAttributes:
		return false
	default:
		return true
	}
}
