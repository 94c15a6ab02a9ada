package channel

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Names are the paths, methods and headers of the message channel. Those that
// are marked as a convention are not public: they follow the form of those that
// are.
type Names struct {
	OpenMethod        string `conf:"openMethod" doc:"method of the first request, which authenticates"`
	OpenPath          string `conf:"openPath" doc:"path of the first request"`
	ClearSession      string `conf:"clearSession" doc:"header of the first request: 1 forgets what was missed"`
	AckMethod         string `conf:"ackMethod" doc:"method of an acknowledgement"`
	AckPath           string `conf:"ackPath" doc:"path of an acknowledgement"`
	MessageID         string `conf:"messageId" doc:"header: a message's identifier"`
	QoS               string `conf:"qos" doc:"header: a message's quality of service"`
	Topic             string `conf:"topic" doc:"header: a message's topic"`
	ResponseStatus    string `conf:"responseStatus" doc:"header of responses: a status beside that of HTTP; the worse one counts"`
	PublishMethod     string `conf:"publishMethod" doc:"method of publications (a convention)"`
	PublishPath       string `conf:"publishPath" doc:"path of publications, before the topic without its first slash (a convention)"`
	SubscribeMethod   string `conf:"subscribeMethod" doc:"method of subscriptions and their ends (a convention)"`
	SubscribePath     string `conf:"subscribePath" doc:"path of subscriptions, before the filter without its first slash (a convention)"`
	UnsubscribePath   string `conf:"unsubscribePath" doc:"path of ends of subscriptions, before the filter without its first slash (a convention)"`
	NoSubscription    bool   `conf:"noSubscription" doc:"the platform needs no subscriptions: none is sent"`
	CheckPublishReply bool   `conf:"checkPublishReply" doc:"whether a publication is done only when its response has status 200; without it, with any status below 300"`
}

// DefaultNames are what is public, and the conventions for what is not.
func DefaultNames() Names {
	return Names{
		OpenMethod: "GET", OpenPath: "/message/ack", ClearSession: "x-clear-session",
		AckMethod: "GET", AckPath: "/message/ack",
		MessageID: "x-message-id", QoS: "x-qos", Topic: "x-topic", ResponseStatus: "x-response-status",
		PublishMethod: "POST", PublishPath: "/message/pub/",
		SubscribeMethod: "POST", SubscribePath: "/message/sub/", UnsubscribePath: "/message/unsub/",
	}
}

// WithDefaults fills in what is empty.
func (n Names) WithDefaults() Names {
	d := DefaultNames()
	own, defaults := n.texts(), d.texts()
	for i, t := range own {
		if *t.value == "" {
			*t.value = *defaults[i].value
		}
	}
	return n
}

type text struct {
	key   string
	value *string
	is    textKind
}

type textKind uint8

const (
	method textKind = iota
	path
	header
)

func (n *Names) texts() []text {
	return []text{
		{"openMethod", &n.OpenMethod, method},
		{"openPath", &n.OpenPath, path},
		{"clearSession", &n.ClearSession, header},
		{"ackMethod", &n.AckMethod, method},
		{"ackPath", &n.AckPath, path},
		{"messageId", &n.MessageID, header},
		{"qos", &n.QoS, header},
		{"topic", &n.Topic, header},
		{"responseStatus", &n.ResponseStatus, header},
		{"publishMethod", &n.PublishMethod, method},
		{"publishPath", &n.PublishPath, path},
		{"subscribeMethod", &n.SubscribeMethod, method},
		{"subscribePath", &n.SubscribePath, path},
		{"unsubscribePath", &n.UnsubscribePath, path},
	}
}

// Check finds all that is wrong with n, which has its defaults.
func (n Names) Check() error {
	var errs []error
	for _, t := range n.texts() {
		v := *t.value
		switch t.is {
		case method:
			if v == "" || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				errs = append(errs, fmt.Errorf("names.%s is %q, want a method such as GET", t.key, v))
			}
		case path:
			if !strings.HasPrefix(v, "/") || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
				errs = append(errs, fmt.Errorf("names.%s is %q, want a path that begins with /", t.key, v))
			}
		case header:
			if v == "" || strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
				errs = append(errs, fmt.Errorf("names.%s is %q, want the name of a header in lower case", t.key, v))
			}
		}
	}
	return errors.Join(errs...)
}

// pathOf is where a topic or a filter is named: behind prefix, without its first
// slash, with what paths cannot hold escaped.
func pathOf(prefix, topic string) string {
	topic = strings.TrimPrefix(topic, "/")
	for i := range len(topic) {
		if c := topic[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`%?#"<>\^{|}`+"`", c) >= 0 {
			return prefix + escaped(topic)
		}
	}
	return prefix + topic
}

func escaped(topic string) string {
	levels := strings.Split(topic, "/")
	for i, l := range levels {
		levels[i] = strings.ReplaceAll(url.PathEscape(l), "$", "%24")
	}
	return strings.Join(levels, "/")
}
