package hocon

type nodeKind uint8

const (
	nodeNull nodeKind = iota
	nodeBool
	nodeNumber
	nodeString
	nodeArray
	nodeObject
	nodeSubst  // ${path}
	nodeConcat // pieces on one line
	nodeMerge  // values of one field, the later over the earlier
	nodeAppend // the right side of +=
)

// node is an element of the unresolved tree. Parsing and merging change it;
// resolving only fills its resolution.
type node struct {
	kind     nodeKind
	optional bool // of nodeSubst: ${?path}
	around   bool // of nodeSubst: it refers to an object in which it stands
	blank    bool // of nodeString: blanks between the pieces of a concatenation
	open     bool // it holds, at some depth, something that must be resolved
	patch    bool // of nodeObject: over an array, numeric keys mean its elements
	at       place
	text     string   // of scalars; the key of nodeSubst, nodeConcat and nodeAppend
	path     []string // of nodeSubst: from the root of all
	written  int      // of nodeSubst: path[written:] is what the file says
	elems    []*node  // of nodeArray, nodeConcat, nodeMerge (lowest first), nodeAppend (one)
	object   *object  // of nodeObject
}

func (n *node) scalar() bool { return n.kind <= nodeString }

// errorf is a mistake at n.
func (n *node) errorf(hint, format string, args ...any) *Error {
	e := n.at.errorf(hint, format, args...)
	if n.kind == nodeSubst || n.kind == nodeConcat || n.kind == nodeAppend {
		e.Key = n.text
	}
	return e
}

// field is a key with its value.
type field struct {
	key string
	at  place // of the key that set it last
	val *node
}

// object keeps its fields in the order in which their keys came first.
type object struct {
	fields []field
	index  map[string]int // of fields; nil while they are few
}

const fewFields = 12

func (o *object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.fields {
		if o.fields[i].key == key {
			return i
		}
	}
	return -1
}

func (o *object) get(key string) *node {
	if i := o.find(key); i >= 0 {
		return o.fields[i].val
	}
	return nil
}

func (o *object) add(f field) {
	if o.fields == nil {
		o.fields = make([]field, 0, 4)
	}
	o.fields = append(o.fields, f)
	if o.index == nil && len(o.fields) <= fewFields {
		return
	}
	if o.index == nil {
		o.index = make(map[string]int, 2*len(o.fields))
		for i := range o.fields {
			o.index[o.fields[i].key] = i
		}
		return
	}
	o.index[f.key] = len(o.fields) - 1
}

func newObject(at place) *node { return &node{kind: nodeObject, at: at, object: &object{}} }

// set lays f over what the object n has under that key.
func (n *node) set(f field) {
	if f.val.open {
		n.open = true
	}
	if i := n.object.find(f.key); i >= 0 {
		old := &n.object.fields[i]
		old.val, old.at = overlay(old.val, f.val), f.at
		return
	}
	n.object.add(f)
}

// setPath is set for a path of keys.
func (n *node) setPath(path []string, at place, val *node) {
	for i := len(path) - 1; i > 0; i-- {
		o := newObject(at)
		o.set(field{path[i], at, val})
		val = o
	}
	n.set(field{path[0], at, val})
}

// overlay gives high over low. It may change low, which the tree under
// construction owns alone.
func overlay(low, high *node) *node {
	switch {
	case low.kind == nodeObject && high.kind == nodeObject && (!low.patch || high.patch):
		for _, f := range high.object.fields {
			low.set(f)
		}
		low.open = low.open || high.open
		return low
	case !high.open && (high.kind != nodeObject || low.scalar() || low.kind == nodeArray && !low.open):
		return high // nothing below can show through
	case low.kind == nodeMerge:
		last := len(low.elems) - 1
		if top := low.elems[last]; top.kind == nodeObject && high.kind == nodeObject && top.patch == high.patch {
			low.elems[last] = overlay(low.elems[last], high)
			return low
		}
		low.elems = append(low.elems, high)
		return low
	default:
		return &node{kind: nodeMerge, at: high.at, open: true, elems: []*node{low, high}}
	}
}
