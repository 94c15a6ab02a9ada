package jt808

// appendMenu appends a list that the terminal holds: what to do with it and,
// unless it is only emptied, its items.
func appendMenu[T any](dst []byte, action MenuAction, total uint8, items []T, what string, write func(*writer, *T)) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(action))
	if action == MenuDeleteAll && total == 0 && len(items) == 0 {
		return w.done()
	}
	return appendItems(w, total, items, what, write)
}

// parseMenu reads what appendMenu appends, to the body's end.
func parseMenu[T any](body []byte, v Version, read func(*reader) T) (action MenuAction, total uint8, items []T, err error) {
	r := newReader(body)
	action = MenuAction(r.u8())
	if r.len() > 0 || action != MenuDeleteAll {
		total, items = counted(&r, v, read)
	}
	return action, total, items, r.err()
}

// appendAreas appends areas and what to do with them.
func appendAreas[T any](dst []byte, action AreaAction, total uint8, items []T, what string, write func(*writer, *T)) ([]byte, error) {
	w := newWriter(dst)
	w.u8(uint8(action))
	return appendItems(w, total, items, what, write)
}

// parseAreas reads what appendAreas appends, to the body's end.
func parseAreas[T any](body []byte, v Version, read func(*reader) T) (action AreaAction, total uint8, items []T, err error) {
	r := newReader(body)
	action = AreaAction(r.u8())
	total, items = counted(&r, v, read)
	return action, total, items, r.err()
}

func appendItems[T any](w writer, total uint8, items []T, what string, write func(*writer, *T)) ([]byte, error) {
	w.count8s(total, len(items), what)
	for i := range items {
		write(&w, &items[i])
	}
	return w.done()
}
