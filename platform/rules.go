package platform

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/platform/api"
)

// rule is a fault that lasts. Its fields are guarded by faults.mu.
type rule struct {
	api.Fault
	ended  bool
	once   bool      // it struck the connections there were, and strikes no more
	tokens float64   // throttle: what may pass now
	filled time.Time // when they were counted
	half   []*link   // half-open connections, which end with it
}

// stage is where faults may strike.
type stage uint8

const (
	atConnect stage = iota
	atSubscribe
	atUplink
	atDownlink // answers, commands and notices
	atHTTP
)

// faultStages are the stages of each action.
var faultStages = map[string][]stage{
	api.Refuse:     {atConnect, atSubscribe, atUplink, atHTTP},
	api.Throttle:   {atConnect, atSubscribe, atUplink, atHTTP},
	api.Wait:       {atConnect, atDownlink, atHTTP},
	api.Silent:     {atDownlink},
	api.Lose:       {atUplink},
	api.NoAck:      {atUplink},
	api.Duplicate:  {atDownlink},
	api.Disconnect: {atConnect, atSubscribe, atUplink, atHTTP},
	api.HalfOpen:   {atConnect, atSubscribe, atUplink},
}

// point is something that a fault may strike.
type point struct {
	stage   stage
	method  string
	topic   string // empty: none
	about   []key  // the devices it is about
	gateway key    // whose connection carries it; zero: none
}

// verdict is what faults do to a point; its zero value is nothing.
type verdict struct {
	refuse     bool
	code       int
	message    string
	delay      time.Duration
	silent     bool
	lose       bool
	noAck      bool
	duplicate  bool
	disconnect bool
	halfOpen   *rule
}

const (
	maxRules = 100
	maxHalf  = 1_000 // half-open connections of one rule; the oldest end
)

// strike is what is to be done to what pt says. The rules that do it are spent.
func (p *Platform) strike(pt *point) (v verdict) {
	f := &p.faults
	now := p.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range slices.Clone(f.rules) { // they may end here
		if r.once || !slices.Contains(faultStages[r.Action], pt.stage) || !r.fits(pt) || !r.strikes(now) {
			continue
		}
		r.Struck++
		p.stats.fault(r.Action)
		v.add(r)
		if r.Count > 0 && r.Struck >= uint64(r.Count) { //nolint:gosec // above 0
			f.retire(r)
		}
	}
	return v
}

// add is v with what r does, too.
func (v *verdict) add(r *rule) {
	switch r.Action {
	case api.Refuse, api.Throttle:
		if !v.refuse {
			v.refuse, v.code, v.message = true, r.Code, r.Message
		}
	case api.Wait:
		v.delay += time.Duration(r.Delay)
	case api.Silent:
		v.silent = true
	case api.Lose:
		v.lose = true
	case api.NoAck:
		v.noAck = true
	case api.Duplicate:
		v.duplicate = true
	case api.Disconnect:
		v.disconnect = true
	case api.HalfOpen:
		v.halfOpen = r
	}
}

func (r *rule) fits(pt *point) bool {
	if r.Method != "" {
		if ok, _ := path.Match(r.Method, pt.method); !ok { // valid: AddFault has looked
			return false
		}
	}
	if r.Topic != "" && (pt.topic == "" || !matches(r.Topic, pt.topic)) {
		return false
	}
	if r.Gateway != "" && r.Gateway != pt.gateway.String() {
		return false
	}
	if r.Device == "" && r.Product == "" {
		return true
	}
	return slices.ContainsFunc(pt.about, func(k key) bool {
		return (r.Device == "" || r.Device == k.String()) && (r.Product == "" || r.Product == k.product)
	})
}

// strikes says whether r does this time.
func (r *rule) strikes(now time.Time) bool {
	spent := r.Count > 0 && r.Struck >= uint64(r.Count) //nolint:gosec // above 0
	if spent || !r.Until.IsZero() && !now.Before(r.Until) {
		return false
	}
	if r.Probability > 0 && rand.Float64() >= r.Probability { //nolint:gosec // no secret
		return false
	}
	if r.Action != api.Throttle {
		return true
	}
	r.tokens = min(r.tokens+r.Rate*max(now.Sub(r.filled).Seconds(), 0), max(r.Rate, 1))
	r.filled = now
	if r.tokens >= 1 {
		r.tokens--
		return false
	}
	return true
}

// retire takes r from the list. f.mu is held. What is half-open stays so: that
// ends with end.
func (f *faults) retire(r *rule) {
	if r.Action == api.HalfOpen {
		return // it lasts for its connections; strikes has no more
	}
	r.ended = true
	f.rules = slices.DeleteFunc(f.rules, func(x *rule) bool { return x == r })
	f.armed.Store(int32(len(f.rules))) //nolint:gosec // at most maxRules
}

// end takes r away, and ends the connections that it has made half-open.
func (f *faults) end(r *rule) {
	f.mu.Lock()
	r.ended = true
	f.rules = slices.DeleteFunc(f.rules, func(x *rule) bool { return x == r })
	f.armed.Store(int32(len(f.rules))) //nolint:gosec // at most maxRules
	half := r.half
	r.half = nil
	f.mu.Unlock()
	for _, l := range half {
		l.drop()
	}
}

// AddFault makes the platform do something wrong on purpose, until the fault is
// spent, its time is up, or RemoveFault or ClearFaults take it away.
// api.Disconnect and api.HalfOpen without a method and a topic strike the
// connections that there are now, once. The error names every mistake.
func (p *Platform) AddFault(a api.Fault) (api.Fault, error) {
	if err := checkFault(&a); err != nil {
		return a, err
	}
	f := &p.faults
	r := &rule{Fault: a, filled: p.now(), tokens: max(a.Rate, 1)}
	r.Struck, r.Until = 0, time.Time{}
	if a.For > 0 {
		r.Until = p.now().Add(time.Duration(a.For))
	}
	f.mu.Lock()
	if len(f.rules) >= maxRules {
		f.mu.Unlock()
		return a, badRequest("there are %d faults already: take some away", maxRules)
	}
	f.last++
	r.ID = strconv.Itoa(f.last)
	r.once = (r.Action == api.Disconnect || r.Action == api.HalfOpen) && r.Method == "" && r.Topic == ""
	if !r.once || r.Action == api.HalfOpen {
		f.rules = append(f.rules, r)
		f.armed.Store(int32(len(f.rules))) //nolint:gosec // at most maxRules
	}
	f.mu.Unlock()
	if r.once {
		p.strikeLinks(r)
	}
	if a.For > 0 {
		f.later(delayed{due: r.Until, send: func() { f.end(r) }})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return r.Fault, nil
}

// filterProblem is what makes a text no topic filter that fits anything here; empty:
// nothing (MQTT 3.1.1, 4.7.1).
func filterProblem(filter string) string {
	if !strings.HasPrefix(filter, "/") && filter[0] != '+' && filter[0] != '#' {
		return "want a topic filter, which begins with / here"
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case strings.Contains(level, "#") && (level != "#" || i < len(levels)-1):
			return "# stands for all further levels: want it alone in the last one"
		case strings.Contains(level, "+") && level != "+":
			return "+ stands for one level: want it alone in its own"
		}
	}
	return ""
}

func checkFault(a *api.Fault) error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format, args...)) //nolint:err113 // they become one bad request
	}
	if faultStages[a.Action] == nil {
		wrong("action is %q; want refuse, throttle, delay, silent, lose, noAck, duplicate, disconnect or halfOpen", a.Action)
	}
	if _, err := path.Match(a.Method, ""); err != nil {
		wrong("method %q is no pattern: %w", a.Method, err)
	}
	for _, d := range []struct{ name, value string }{{"device", a.Device}, {"gateway", a.Gateway}} {
		if _, ok := parseKey(d.value); d.value != "" && !ok {
			wrong("%s is %q; want productKey/deviceName", d.name, d.value)
		}
	}
	if a.Topic != "" {
		if problem := filterProblem(a.Topic); problem != "" {
			wrong("topic is %q; %s", a.Topic, problem)
		}
	}
	switch a.Action {
	case api.Refuse:
		if a.Code <= 0 {
			wrong("code is %d; want one of the vendor's, like 429 or 6401, or for connect 1 to 5", a.Code)
		}
	case api.Throttle:
		if a.Code == 0 {
			a.Code = int(CodeTooFast)
		}
		if a.Rate <= 0 {
			wrong("rate is %g; want messages per second", a.Rate)
		}
	case api.Wait:
		if a.Delay <= 0 {
			wrong("delay is %s; want more than 0", time.Duration(a.Delay))
		}
	}
	if a.Count < 0 || a.For < 0 || a.Probability < 0 || a.Probability > 1 {
		wrong("count, for and probability: want none below 0, and a probability of at most 1")
	}
	if len(errs) > 0 {
		return badRequest("%s", strings.ReplaceAll(errors.Join(errs...).Error(), "\n", "; "))
	}
	return nil
}

// strikeLinks closes the connections of this moment that r is about, or makes them
// half-open.
func (p *Platform) strikeLinks(r *rule) {
	p.mu.RLock()
	var links []*link
	for l := range p.links {
		if l.dev == nil || l.dev.link != l { // none that is being set up
			continue
		}
		pt := point{about: []key{l.dev.key}, gateway: l.dev.key}
		for sub := range l.subs {
			pt.about = append(pt.about, sub.key)
		}
		if r.fits(&pt) {
			links = append(links, l)
		}
	}
	p.mu.RUnlock()
	for _, l := range links {
		p.faults.mu.Lock()
		strikes := r.strikes(p.now())
		if strikes {
			r.Struck++
			p.stats.fault(r.Action)
		}
		p.faults.mu.Unlock()
		switch {
		case !strikes:
		case r.Action == api.HalfOpen:
			p.halve(l, r)
		default:
			l.stop(onPurpose)
		}
	}
}

// onPurpose is why.
const onPurpose = "disconnected on purpose"

// FaultRules are the faults of AddFault that have not ended, oldest first.
func (p *Platform) FaultRules() []api.Fault {
	f := &p.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]api.Fault, 0, len(f.rules))
	for _, r := range f.rules {
		list = append(list, r.Fault)
	}
	return list
}

// RemoveFault takes a fault away and returns it as it was. Connections that it
// has made half-open are closed.
func (p *Platform) RemoveFault(id string) (api.Fault, error) {
	f := &p.faults
	f.mu.Lock()
	i := slices.IndexFunc(f.rules, func(r *rule) bool { return r.ID == id })
	if i < 0 {
		f.mu.Unlock()
		return api.Fault{}, &api.Error{
			Status: http.StatusNotFound, Code: api.CodeNotFound, Message: "there is no fault " + strconv.Quote(id),
			Hint: "GET /api/v1/faults/rules lists those there are; some end by themselves",
		}
	}
	r := f.rules[i]
	was := r.Fault
	f.mu.Unlock()
	f.end(r)
	return was, nil
}

// endRules takes all of them away.
func (f *faults) endRules() {
	f.mu.Lock()
	rules := slices.Clone(f.rules)
	f.mu.Unlock()
	for _, r := range rules {
		f.end(r)
	}
}

func (p *Platform) postRule(r *http.Request) (any, error) {
	var a api.Fault
	if err := body(r, &a); err != nil {
		return nil, err
	}
	return p.AddFault(a)
}
