// Package inorder is what connectors remember of a login whose messages arrive in
// their order although some fail for now: see InOrder of upstream.Login.
package inorder

import "github.com/linkspan/linkspan/upstream"

// Login is whether a login wants order, and whether it takes messages. It is guarded by
// the lock that guards the login's messages.
type Login struct {
	Wanted bool // InOrder of the upstream.Login
	broken bool
}

// Breaks notes that a message has failed with err, and says whether those behind it
// fail too. Replies are of no order.
func (l *Login) Breaks(reply bool, err error) bool {
	if !l.Wanted || reply || !upstream.Temporary(err) {
		return false
	}
	l.broken = true
	return true
}

// Refuses says whether a new message fails, for one before it has failed.
func (l *Login) Refuses(reply bool) bool { return l.broken && !reply }

// Resume has the login take messages again.
func (l *Login) Resume() { l.broken = false }
