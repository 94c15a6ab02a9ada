package thing

import "fmt"

// ReplyError is a reason why a command cannot be done, as an error. An adapter
// that returns one ends the command with its State; any other error ends it
// with [Failed].
type ReplyError struct {
	State State
	Code  int    // the device's own result code, 0 when it has none
	Text  string // what is wrong and how to mend it
}

func (e *ReplyError) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("thing: command %s (code %d): %s", e.State, e.Code, e.Text)
	}
	return fmt.Sprintf("thing: command %s: %s", e.State, e.Text)
}
