package modbus

import (
	"errors"

	"github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

// sendPoll sends the next request of the poll under way. One that would take the
// late answer to another request for its own is put off, with the unit's other
// polls, and the line is there for other units.
func (l *line) sendPoll() {
	u := l.run.unit
	pdu := u.groups()[l.run.group].Requests[l.run.request].PDU
	if l.ambiguous(&u.asked, pdu) {
		u.retryAt, u.due[l.run.group] = max(u.retryAt, u.asked.until), l.now
		l.finishRun()
		return
	}
	retries := l.config.Requests.Retries
	if u.failures > 0 {
		retries = 0
	}
	l.ask(exchange{unit: u, number: u.number, pdu: pdu, retries: uint8(retries)}) //nolint:gosec // 10 at most
}

// polled handles the answer to a request of the poll under way.
func (l *line) polled(u *unit, pdu []byte, exception modbus.Exception) {
	requests := u.groups()[l.run.group].Requests
	if l.run.request == 0 && l.run.late >= 0 {
		l.counters.lateness.note(l.now, l.run.late)
	}
	r := &requests[l.run.request]
	if exception == modbus.IllegalDataAddress && r.Gap { // for points alone, then
		u.careful, u.faults = true, nil
		u.due[l.run.group] = l.now
		l.counters.careful.Add(1)
		l.finishRun()
		return
	}
	fault := u.requestNumber(l.run.group, l.run.request)
	l.run.request++
	if exception != 0 {
		l.refuses(u, r, fault, exception)
	} else {
		if u.faults != nil {
			u.faults[fault] = 0
		}
		if l.run.fields == nil {
			l.run.fields = borrow()
		}
		l.run.fields.fields = l.values(u, r, pdu[2:], l.run.fields.fields)
	}
	if l.run.request == len(requests) {
		l.finishRun()
	}
}

// requestNumber is the place of a request among all of u's.
func (u *unit) requestNumber(group, request int) int {
	for g := range group {
		request += len(u.groups()[g].Requests)
	}
	return request
}

// values appends the values in the data of a response that are to be reported.
func (l *line) values(u *unit, r *profile.Request, data []byte, fields []thing.Field) []thing.Field {
	if u.last == nil && u.profile.Reports() {
		u.last = make([]reported, len(u.profile.Points))
	}
	told := l.device(u) != nil || u.attaching
	for _, i := range r.Points {
		p := &u.profile.Points[i]
		v, mark, err := u.profile.Value(i, r, data)
		if err != nil {
			if !errors.Is(err, profile.ErrNoValue) {
				l.counters.invalid.Add(1)
			}
			continue
		}
		if p.OnChange {
			last := &u.last[i]
			still := last.at != 0 && !p.Changed(mark, profile.Mark(last.mark))
			if still && (p.AtLeast == 0 || l.now-last.at < p.AtLeast.Milliseconds()) {
				continue
			}
			if told {
				*last = reported{uint64(mark), max(l.now, 1)}
			}
		}
		fields = append(fields, thing.Field{Name: p.Name, Value: v})
	}
	return fields
}

// finishRun reports what the poll under way has read, and ends it.
func (l *line) finishRun() {
	u := l.run.unit
	if u != nil && l.run.fields != nil {
		l.report(u, l.run.fields.fields)
	}
	l.run.end()
}

// refuses tells the platform of a request that u refuses, once until it does so
// for another reason.
func (l *line) refuses(u *unit, r *profile.Request, number int, exception modbus.Exception) {
	s := l.device(u)
	if u.faults == nil {
		n := 0
		for g := range u.groups() {
			n += len(u.groups()[g].Requests)
		}
		u.faults = make([]modbus.Exception, n)
	}
	if s == nil || u.faults[number] == exception || l.config.Failures.Event == "" {
		return
	}
	u.faults[number] = exception
	_ = l.c.ReportFor(s, &thing.Message{Kind: thing.Event, Name: l.config.Failures.Event, Fields: []thing.Field{
		{Name: "unit", Value: thing.Int(int64(u.number))},
		{Name: "request", Value: thing.String(r.String())},
		{Name: "code", Value: thing.Int(int64(exception))},
		{Name: "text", Value: thing.String(exception.String())},
	}}, nil) // refused it is lost: nobody would say it again
}
