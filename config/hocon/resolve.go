package hocon

import (
	"errors"
	"math"
	"strings"
)

// resolver evaluates nodes by need. A node's value is a node that is a scalar,
// an array or an object, whose elements need not be evaluated; nil is
// undefined: an optional substitution without a target.
//
// A look-up that comes upon a field whose merge is being evaluated sees the
// values below the one being evaluated (the specification's looking back); on
// another node that is being evaluated it finds nothing. What has been computed
// with such a partial view of a node further out is not remembered, since the
// next one who asks may see more.
type resolver struct {
	root   *node
	opts   Options
	limits Limits
	states map[*node]*state
	depth  int // evaluations in progress
	low    int // lowest depth of an evaluation in progress that has been looked at
	steps  int
	values int
}

// state is what is known of a node.
type state struct {
	known bool
	value *node
	busy  bool
	depth int // while busy
	at    int // of a merge while busy: the element being evaluated
	elems []*state
	final *Value
	build bool // final is being built
}

func newResolver(root *node, opts Options) *resolver {
	return &resolver{root: root, opts: opts, limits: opts.Limits.withDefaults(), states: map[*node]*state{}, low: math.MaxInt}
}

func (r *resolver) state(n *node) *state {
	s := r.states[n]
	if s == nil {
		s = &state{}
		r.states[n] = s
	}
	return s
}

func (r *resolver) step(n *node, cost int) error {
	if r.steps += cost; r.steps > r.limits.Steps {
		return n.errorf("look for substitutions that multiply", "resolving takes more than %d steps", r.limits.Steps)
	}
	return nil
}

// eval gives the value of n.
func (r *resolver) eval(n *node) (*node, error) {
	switch n.kind {
	case nodeSubst, nodeConcat, nodeMerge, nodeAppend:
	default:
		return n, nil
	}
	s := r.state(n)
	switch {
	case s.known:
		return s.value, nil
	case s.busy:
		return r.lookBack(n, s)
	case r.depth >= r.limits.Depth:
		return nil, n.errorf("look for a circle", "substitutions lead to each other more than %d times", r.limits.Depth)
	}
	s.busy, s.depth = true, r.depth
	r.depth++
	err := r.remember(s, s.depth, func() (*node, error) { return r.compute(n, s) })
	r.depth--
	s.busy = false
	value := s.value
	if !s.known {
		s.value = nil
	}
	return value, err
}

// remember runs f and keeps its result in s; for good, if it looked at nothing
// in progress below depth.
func (r *resolver) remember(s *state, depth int, f func() (*node, error)) error {
	outer := r.low
	r.low = math.MaxInt
	value, err := f()
	s.value = value
	if r.low >= depth {
		s.known = err == nil
		r.low = outer
	} else {
		r.low = min(r.low, outer)
	}
	return err
}

func (r *resolver) compute(n *node, s *state) (*node, error) {
	if err := r.step(n, 1); err != nil {
		return nil, err
	}
	switch n.kind {
	case nodeSubst:
		return r.substitute(n)
	case nodeConcat:
		return r.concat(n)
	case nodeMerge:
		return r.merge(n, s, len(n.elems))
	default: // += on a field that has nothing yet
		return r.extend(n, nil)
	}
}

// lookBack gives what n, which is being evaluated, was before the value that is
// being evaluated.
func (r *resolver) lookBack(n *node, s *state) (*node, error) {
	r.low = min(r.low, s.depth)
	if n.kind != nodeMerge {
		return nil, nil
	}
	if r.depth >= r.limits.Depth {
		return nil, n.errorf("look for a circle", "substitutions lead to each other more than %d times", r.limits.Depth)
	}
	r.depth++
	defer func() { r.depth-- }()
	var inner *node
	if e := n.elems[s.at]; e.kind == nodeMerge && r.state(e).busy {
		v, err := r.lookBack(e, r.state(e))
		if err != nil {
			return nil, err
		}
		if v != nil && v.kind != nodeObject {
			return v, nil
		}
		inner = v
	}
	v, err := r.merge(n, s, s.at)
	r.low = min(r.low, s.depth)
	switch {
	case err != nil, inner == nil:
		return v, err
	case v == nil || v.kind != nodeObject:
		return inner, nil
	default:
		return r.join(inner.at, []*node{v, inner})
	}
}

// merge gives the value of the first upto elements of n.
func (r *resolver) merge(n *node, s *state, upto int) (*node, error) {
	if s.elems == nil {
		s.elems = make([]*state, len(n.elems))
	}
	var objects []*node // highest first
	for i := upto - 1; i >= 0; i-- {
		v, err := r.element(n, s, i)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		if v.kind == nodeObject {
			objects = append(objects, v)
			continue
		}
		if v.kind == nodeArray {
			for len(objects) > 0 && objects[len(objects)-1].patch {
				if v, err = r.patch(v, objects[len(objects)-1]); err != nil {
					return nil, err
				}
				objects = objects[:len(objects)-1]
			}
		}
		if len(objects) == 0 {
			return v, nil
		}
		break
	}
	if objects == nil {
		return nil, nil
	}
	reverse(objects)
	return r.join(objects[len(objects)-1].at, objects)
}

func reverse(nodes []*node) {
	for i, j := 0, len(nodes)-1; i < j; i, j = i+1, j-1 {
		nodes[i], nodes[j] = nodes[j], nodes[i]
	}
}

// element gives the value of element i of the merge n.
func (r *resolver) element(n *node, s *state, i int) (*node, error) {
	e := s.elems[i]
	if e == nil {
		e = &state{}
		s.elems[i] = e
	}
	if e.known {
		return e.value, nil
	}
	if err := r.step(n, 1); err != nil {
		return nil, err
	}
	saved := s.at
	s.at = i
	err := r.remember(e, s.depth, func() (*node, error) {
		if n.elems[i].kind != nodeAppend {
			return r.eval(n.elems[i])
		}
		before, err := r.merge(n, s, i)
		if err != nil {
			return nil, err
		}
		return r.extend(n.elems[i], before)
	})
	s.at = saved
	return e.value, err
}

// extend gives the array before with the element of += behind it.
func (r *resolver) extend(n, before *node) (*node, error) {
	out := &node{kind: nodeArray, at: n.at}
	if before != nil {
		old := asArray(before)
		if old == nil {
			return nil, n.errorf("use = to replace it, or make it an array", "+= adds to an array, but the field holds %s", describe(before))
		}
		if err := r.step(n, len(old.elems)); err != nil {
			return nil, err
		}
		out.elems = append(out.elems, old.elems...)
	}
	out.elems = append(out.elems, n.elems[0])
	return out, nil
}

// join lays objects over each other, the lowest first. Fields stay unevaluated.
func (r *resolver) join(at place, objects []*node) (*node, error) {
	if len(objects) == 1 {
		return objects[0], nil
	}
	out := newObject(at)
	stacks := map[string][]*node{}
	for _, o := range objects {
		if err := r.step(o, 8+4*len(o.object.fields)); err != nil { // new maps and nodes
			return nil, err
		}
		for _, f := range o.object.fields {
			stack := append(stacks[f.key], f.val)
			if !f.val.open && f.val.kind != nodeObject {
				stack = stack[len(stack)-1:] // hides what is below
			}
			stacks[f.key] = stack
			if i := out.object.find(f.key); i >= 0 {
				out.object.fields[i].at = f.at
			} else {
				out.object.add(f)
			}
		}
	}
	for i := range out.object.fields {
		f := &out.object.fields[i]
		stack := stacks[f.key]
		f.val = stack[len(stack)-1]
		if len(stack) > 1 {
			f.val = &node{kind: nodeMerge, open: true, at: f.val.at, elems: stack}
		}
	}
	return out, nil
}

// substitute gives the value of ${path}.
func (r *resolver) substitute(n *node) (*node, error) {
	v, err := r.lookup(n.path)
	if err == nil && v == nil && n.written > 0 {
		v, err = r.lookup(n.path[n.written:])
	}
	if n.optional && errors.Is(err, errCircle) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if v == nil {
		v = r.environment(n)
	}
	switch {
	case v == nil && n.optional:
		return nil, nil
	case v == nil:
		return nil, r.unresolved(n)
	case v.scalar():
		c := *v
		c.at = n.at // where it is used tells more than where it was written
		return &c, nil
	default:
		return v, nil
	}
}

// errCircle says that a value is missing since it depends on one in the making.
var errCircle = errors.New("hocon: a circle of substitutions")

// unresolved runs in the evaluation of n: low tells whether it came upon
// something in progress.
func (r *resolver) unresolved(n *node) *Error {
	path := FormatPath(n.path[n.written:])
	if r.low < math.MaxInt {
		e := n.errorf("break the circle, or write ${?"+path+"} if it may be missing", "${%s} leads back to itself", path)
		e.Err = errCircle
		return e
	}
	return n.errorf("define it, or write ${?"+path+"} if it may be missing; put the text in double quotes if ${"+path+"} itself is meant",
		"${%s} has no value: there is no such key and no such environment variable", path)
}

func (r *resolver) environment(n *node) *node {
	if r.opts.LookupEnv == nil {
		return nil
	}
	text, ok := r.opts.LookupEnv(strings.Join(n.path[n.written:], "."))
	if !ok {
		return nil
	}
	return &node{kind: nodeString, at: n.at, text: text}
}

// lookup gives the value at path, evaluating only what lies on the way.
func (r *resolver) lookup(path []string) (*node, error) {
	at := r.root
	for _, key := range path {
		if err := r.step(at, 1); err != nil {
			return nil, err
		}
		o, err := r.eval(at)
		if err != nil || o == nil || o.kind != nodeObject {
			return nil, err
		}
		if at = o.object.get(key); at == nil {
			return nil, nil
		}
	}
	return r.eval(at)
}
