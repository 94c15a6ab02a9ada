package jt808

// NewBody returns an empty body for message id: a struct of this package, or
// [*Unknown] if the package does not know the message.
func NewBody(id ID) Body {
	switch id { //nolint:exhaustive // ID is open: makers have their own
	case IDLocation:
		return new(Location)
	case IDLocationResponse:
		return new(LocationResponse)
	case IDBatch:
		return new(Batch)
	}
	if fresh, ok := newBodies[id]; ok {
		return fresh()
	}
	return &Unknown{MessageID: id}
}
