package hocon

// resolve builds the value of the root.
func (r *resolver) resolve() (*Value, error) {
	v, err := r.build(r.root, 0)
	if err != nil {
		return nil, err
	}
	if v == nil || v.kind != Object {
		return &Value{kind: Object, at: r.root.at}, nil
	}
	return v, nil
}

var scalarKinds = [...]Kind{nodeNull: Null, nodeBool: Bool, nodeNumber: Number, nodeString: String}

// build gives n and everything in it as a value; nil if it is undefined.
func (r *resolver) build(n *node, depth int) (*Value, error) {
	target, err := r.eval(n)
	if err != nil || target == nil {
		return nil, err
	}
	if target.scalar() {
		return &Value{kind: scalarKinds[target.kind], at: target.at, text: target.text, size: 1}, nil
	}
	s := r.state(target)
	switch {
	case s.final != nil:
		return s.final, r.count(n, s.final.size)
	case s.build && n.kind == nodeSubst && n.optional:
		return nil, nil
	case s.build:
		return nil, n.errorf("break the circle", "%s contains itself", describe(target))
	case depth >= r.limits.Depth:
		return nil, n.errorf("", "the resolved configuration nests deeper than %d", r.limits.Depth)
	}
	s.build = true
	v := &Value{kind: Array, at: target.at, size: 1}
	if target.kind == nodeObject {
		v.kind = Object
		err = r.buildFields(v, target.object, depth)
	} else {
		err = r.buildElems(v, target.elems, depth)
	}
	s.build = false
	if err != nil {
		return nil, err
	}
	s.final = v
	return v, r.count(n, 1)
}

// count holds the size of the tree down, in which a value that is used twice
// counts twice.
func (r *resolver) count(n *node, size int) error {
	if r.values += size; r.values > r.limits.Values {
		return n.errorf("look for substitutions that multiply", "the resolved configuration has more than %d values", r.limits.Values)
	}
	return nil
}

func (r *resolver) buildFields(v *Value, o *object, depth int) error {
	v.fields = make([]Field, 0, len(o.fields))
	for _, f := range o.fields {
		child, err := r.build(f.val, depth+1)
		if err != nil {
			return err
		}
		if child == nil {
			continue
		}
		v.size += child.size
		v.fields = append(v.fields, Field{Key: f.key, Value: child, at: f.at})
	}
	if len(v.fields) > fewFields {
		v.index = make(map[string]int, len(v.fields))
		for i := range v.fields {
			v.index[v.fields[i].Key] = i
		}
	}
	return nil
}

func (r *resolver) buildElems(v *Value, elems []*node, depth int) error {
	v.elems = make([]*Value, 0, len(elems))
	for _, e := range elems {
		child, err := r.build(e, depth+1)
		if err != nil {
			return err
		}
		if child == nil {
			continue
		}
		v.size += child.size
		v.elems = append(v.elems, child)
	}
	return nil
}
