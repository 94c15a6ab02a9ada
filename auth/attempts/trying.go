package attempts

import "time"

// trying is how many attempts are under way, and when the last one began.
type trying struct {
	count int
	since time.Time
}

// longestTry is how long an attempt may take; then nobody will say how it ended.
const longestTry = 10 * time.Minute

// full says whether most attempts are under way.
func full[K comparable](table map[K]trying, k K, most int, now time.Time) bool {
	t := table[k]
	return t.count >= most && now.Sub(t.since) < longestTry
}

// begin counts an attempt, which end forgets.
func begin[K comparable](table map[K]trying, k K, now time.Time) {
	t := table[k]
	if now.Sub(t.since) >= longestTry {
		t.count = 0
	}
	table[k] = trying{t.count + 1, now}
}

func end[K comparable](table map[K]trying, k K) {
	if t := table[k]; t.count > 1 {
		table[k] = trying{t.count - 1, t.since}
	} else {
		delete(table, k)
	}
}
