package jt808

import (
	"slices"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// Command is a message of the platform that is not an answer, as a terminal got
// it; see [WithCommands].
type Command struct {
	Phone  string
	Body   jt808.Body   // read; *jt808.Unknown if the codec does not know it or it is damaged
	Result jt808.Result // of the answer
}

// commands is what a terminal was told.
type commands struct {
	last        jt808.ID
	text        string
	count       uint64
	parameters  map[jt808.ParameterID]jt808.Hex // set by the platform
	areas       map[areaKey]jt808.Body
	reassembler *jt808.Reassembler // made for the first package
	later       []answer           // that wait, in the order of when they are due
	media       []*mediaItem       // not complete at the platform
	mediaID     uint32             // of the last item
}

// answer is what a terminal does some time after a command.
type answer struct {
	due int64
	do  func(now int64, w *scratch)
}

const maxLater = 256

// when is when the next answer is due.
func (c *commands) when() int64 {
	if len(c.later) == 0 {
		return never
	}
	return c.later[0].due
}

// disconnected forgets what belongs to a connection.
func (c *commands) disconnected() { c.later, c.media, c.reassembler = nil, nil, nil }

// after has something done later; of too many the last are forgotten.
func (c *commands) after(due int64, do func(now int64, w *scratch)) {
	if len(c.later) < maxLater {
		i := len(c.later)
		for i > 0 && c.later[i-1].due > due {
			i--
		}
		c.later = slices.Insert(c.later, i, answer{due, do})
	}
}

// answerLater does what is due.
func (c *commands) answerLater(t *terminal, now int64, w *scratch) {
	for len(c.later) > 0 && c.later[0].due <= now && t.state == stateOnline {
		do := c.later[0].do
		c.later = slices.Delete(c.later, 0, 1)
		do(now, w)
	}
}

// handle takes one frame of the platform.
func (t *terminal) handle(now int64, w *scratch, f *jt808.Frame) {
	if f.Phone != t.phone {
		t.shard.strayFrames.Add(1)
		return
	}
	switch f.ID {
	case jt808.IDPlatformResponse:
		t.response(now, w, f)
	case jt808.IDRegisterResponse:
		t.registered(now, w, f)
	default:
		if t.state == stateOnline {
			t.command(now, w, f)
		}
	}
}

// response takes message 0x8001.
func (t *terminal) response(now int64, w *scratch, f *jt808.Frame) {
	r := &w.response
	if err := r.ParseBody(f.Body, f.Version); err != nil {
		t.shard.badFrames.Add(1)
		return
	}
	ok := r.Result == jt808.ResultOK || r.Result == jt808.ResultAlarmConfirmed
	switch k := kindOf(r.Request); {
	case r.Request == t.ask.id && r.Serial == t.ask.serial:
		if r.Request == jt808.IDAuthenticate {
			t.authenticated(now, w, ok)
			return
		}
		t.answered(now, ok)
		if r.Request == jt808.IDRegister {
			t.drop(now, errRefused) // 0x8100 would have been the answer
		}
	case k == kindLocation || k == kindBatch:
		t.acknowledged(now, r.Serial, k, r.Result)
		if t.state == stateOnline && t.backlog.unsent > 0 {
			t.sendBacklog(now, w)
		}
	case k == kindMedia || k == kindAnswer:
		t.countAnswer(k, r.Result)
	default:
		t.shard.strayAcks.Add(1)
	}
}

// command takes a message of the platform that is no answer.
func (t *terminal) command(now int64, w *scratch, f *jt808.Frame) {
	whole := f
	if f.IsPackage() {
		c := &t.commands
		if c.reassembler == nil {
			c.reassembler = jt808.NewReassembler(jt808.DefaultReassemblyOptions())
		}
		var err error
		whole, err = c.reassembler.Add(f, t.fleet.start.Add(time.Duration(now)))
		if err != nil {
			t.shard.badFrames.Add(1)
			return
		}
		if whole == nil {
			return
		}
	}
	serial, result := whole.Serial, jt808.ResultOK
	body, err := jt808.ParseBody(whole.ID, t.version, whole.Body)
	if err != nil {
		t.shard.badFrames.Add(1)
		body, result = &jt808.Unknown{MessageID: whole.ID, Data: slices.Clone(whole.Body)}, jt808.ResultWrong
	} else if t.chance(t.fleet.cfg.Refuse) && refusable(whole.ID) {
		result = jt808.ResultFailed
	}
	t.shard.commands.Add(1)
	t.commands.count++
	t.commands.last = whole.ID
	if delay := int64(t.fleet.cfg.AnswerDelay); delay > 0 {
		t.commands.after(now+delay, func(now int64, w *scratch) { t.obey(now, w, serial, body, result) })
		return
	}
	t.obey(now, w, serial, body, result)
}

// respond puts the general answer into w.
func (t *terminal) respond(w *scratch, serial uint16, id jt808.ID, result jt808.Result) {
	t.put(w, &jt808.TerminalResponse{Serial: serial, Request: id, Result: result})
}
