package mqtt

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/thing"
)

// maxTimeout is the longest time that a command may ask for.
const maxTimeout = 24 * time.Hour

// commandJSON is a command as an application writes it: see the page on MQTT
// brokers.
type commandJSON struct {
	ID      text            `json:"id"`
	Type    string          `json:"type"`
	Name    string          `json:"name"`
	Fields  json.RawMessage `json:"fields"`
	Names   []string        `json:"names"`
	Raw     []byte          `json:"raw"`
	Timeout int64           `json:"timeout"` // milliseconds
}

// text is a JSON string, or a number as it is written.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	if string(b) == "null" {
		return nil
	}
	if _, err := strconv.ParseFloat(string(b), 64); err != nil {
		return errors.New("id is neither a text nor a number")
	}
	*t = text(b)
	return nil
}

// InvalidCommandError says what is wrong with a command; it becomes the text of
// the reply, when the command says to whom.
type InvalidCommandError struct{ Reason string }

func (e *InvalidCommandError) Error() string { return "mqtt: " + e.Reason }

// parseCommand reads a command of that payload, and what its topic said. With an
// error c has its ID, if it has one.
func (t *topics) parseCommand(what downKind, rawOnly bool, topic string, payload []byte, v *values) (c *thing.Command, err error) {
	c = &thing.Command{ID: v[commandID]}
	switch {
	case what == downNotice:
		c.Kind, c.Topic, c.Raw = thing.Notice, topic, payload
		return c, nil
	case what == downRaw || rawOnly:
		c.Kind, c.Raw = thing.RawDown, payload
		return c, t.checkID(c)
	}
	var j commandJSON
	if err := json.Unmarshal(payload, &j); err != nil {
		return c, &InvalidCommandError{"the payload is no command: " + err.Error()}
	}
	for into, value := range map[*string]string{(*string)(&j.ID): v[commandID], &j.Type: v[kind], &j.Name: v[name]} {
		if value != "" {
			*into = value
		}
	}
	c.ID, c.Name = string(j.ID), j.Name
	if j.Timeout < 0 || j.Timeout > maxTimeout.Milliseconds() {
		return c, &InvalidCommandError{fmt.Sprintf("timeout is %d, want milliseconds up to %d", j.Timeout, maxTimeout.Milliseconds())}
	}
	if j.Timeout > 0 {
		c.Deadline = time.Now().Add(time.Duration(j.Timeout) * time.Millisecond)
	}
	if err := j.fill(c); err != nil {
		return c, err
	}
	return c, t.checkID(c)
}

// fill fills in what is particular to a type of command.
func (j *commandJSON) fill(c *thing.Command) (err error) {
	if j.Type == "" && j.Name != "" {
		j.Type = "service"
	}
	switch j.Type {
	case "set":
		c.Kind, c.Name = thing.SetProperties, ""
		if c.Fields, err = fieldsOf(j.Fields); err == nil && len(c.Fields) == 0 {
			err = &InvalidCommandError{"fields is missing: want the properties to set, such as {\"speed\":60}"}
		}
	case "get":
		c.Kind, c.Name = thing.GetProperties, ""
		for _, name := range j.Names {
			c.Fields = append(c.Fields, thing.Field{Name: name})
		}
	case "service":
		if c.Kind = thing.Service; c.Name == "" {
			return &InvalidCommandError{"name is missing: want that of the service"}
		}
		c.Fields, err = fieldsOf(j.Fields)
	case "raw":
		c.Kind, c.Name, c.Raw = thing.RawDown, "", j.Raw
	default:
		return &InvalidCommandError{fmt.Sprintf("type is %q, want set, get, service or raw", j.Type)}
	}
	return err
}

func fieldsOf(object json.RawMessage) ([]thing.Field, error) {
	if len(object) == 0 || string(object) == "null" {
		return nil, nil
	}
	fields, err := thing.ParseFields(object)
	if err != nil {
		return nil, &InvalidCommandError{"fields: " + err.Error()}
	}
	return fields, nil
}

// checkID says whether the reply to c will have a topic.
func (t *topics) checkID(c *thing.Command) error {
	switch {
	case t.reply == nil:
		c.ID = ""
	case c.ID == "":
	case t.reply.has(commandID) && !isLevel(c.ID):
		c.ID = ""
		return &InvalidCommandError{"id cannot be a level of the reply's topic"}
	case t.reply.has(name) && !isLevel(c.Name):
		c.ID = ""
		return &InvalidCommandError{"name cannot be a level of the reply's topic"}
	}
	return nil
}
