package aliyun

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/linkspan/linkspan/auth"
)

// ErrTopic says that a publication's topic is none that the device may publish
// to, or that a name makes one too long. Want a topic in UTF-8 without
// wildcards and control characters, of no more than 128 bytes and 7 slashes, that names the
// device: /productKey/deviceName/... or /sys/productKey/deviceName/...,
// or one under /broadcast/productKey/. One that begins with no slash is put
// behind /productKey/deviceName/.
var ErrTopic = errors.New("aliyun: not a topic of the device")

// ErrName says that an event's or a service's name is empty or cannot be part of
// a topic.
var ErrName = errors.New("aliyun: not a name that fits into a topic")

// ErrTooLarge says that a message is larger than the platform takes: 256 KiB.
var ErrTooLarge = errors.New("aliyun: message larger than 256 KiB")

const (
	sysPrefix      = "/sys/"
	propertySuffix = "/thing/event/property/post"
)

// gatewayTopics are the topics of a gateway itself (developer guide, chapters 9
// and 10).
type gatewayTopics struct {
	login, batchLogin   string
	logout, batchLogout string
	topoAdd             string
	errors              string
	topoNotify          string
}

const replySuffix = "_reply"

func topicsOf(id auth.Identity) gatewayTopics {
	name := id.ProductKey + "/" + id.DeviceName
	session := "/ext/session/" + name + "/combine/"
	return gatewayTopics{
		login:       session + "login",
		batchLogin:  session + "batch_login",
		logout:      session + "logout",
		batchLogout: session + "batch_logout",
		topoAdd:     sysPrefix + name + "/thing/topo/add",
		errors:      "/ext/error/" + name,
		topoNotify:  sysPrefix + name + "/thing/topo/add/notify",
	}
}

// gatewayFilters are what a gateway subscribes to before any device logs in.
func (g *gateway) gatewayFilters() []string {
	t := &g.topics
	filters := []string{
		t.login + replySuffix, t.batchLogin + replySuffix, t.logout + replySuffix, t.batchLogout + replySuffix,
		t.errors, t.topoAdd + replySuffix, t.topoNotify, "/broadcast/" + g.identity.ProductKey + "/#",
	}
	if g.cfg.Subscribe == SubscribeWildcard {
		filters = append(filters, deviceFilters(g.cfg, "+/+")...)
	}
	return filters
}

// deviceFilters are what is subscribed for one device, or with "+/+" for all.
func deviceFilters(cfg *settings, name string) []string {
	sys := sysPrefix + name
	filters := []string{
		sys + "/thing/service/#", // property/set, property/get and the services of the product
		sys + "/thing/model/down_raw",
		sys + "/thing/disable",
		sys + "/thing/enable",
		sys + "/thing/delete",
		sys + "/rrpc/request/+",
	}
	if cfg.Confirm == ConfirmReply {
		filters = append(filters, sys+"/thing/event/+/post_reply")
	}
	for _, t := range cfg.CustomTopics {
		filters = append(filters, "/"+name+"/"+t)
	}
	return filters
}

// topicOf is the topic that a publication names: as it is, or below the device's
// own when it does not begin with a slash.
func (d *device) topicOf(topic string) (string, error) {
	if topic != "" && topic[0] != '/' {
		topic = "/" + d.name() + "/" + topic
	}
	return topic, d.checkTopic(topic)
}

// checkTopic says whether the device may publish to topic.
func (d *device) checkTopic(topic string) error {
	if len(topic) == 0 || len(topic) > maxTopic || topic[0] != '/' || strings.Count(topic, "/") > maxTopicLevels || !topicText(topic) || strings.ContainsAny(topic, "+#") {
		return ErrTopic
	}
	if d.names(topic) {
		return nil
	}
	if rest, found := strings.CutPrefix(topic, "/broadcast/"); found {
		if rest, found = strings.CutPrefix(rest, d.productKey()); found && strings.HasPrefix(rest, "/") {
			return nil
		}
	}
	return ErrTopic
}

// names says whether topic has /productKey/deviceName as two of its levels, the
// last of which may end it.
func (d *device) names(topic string) bool {
	name := d.base[len(sysPrefix)-1 : len(d.base)-len(propertySuffix)]
	for {
		i := strings.Index(topic, name)
		if i < 0 {
			return false
		}
		topic = topic[i+len(name):]
		if topic == "" || topic[0] == '/' {
			return true
		}
	}
}

// checkName says whether name can be one level of a topic.
func checkName(name string) error {
	if name == "" || len(name) > maxTopic/2 || !topicText(name) || strings.ContainsAny(name, "/+#") {
		return ErrName
	}
	return nil
}

// topicText says whether s can be part of a topic: UTF-8 without control
// characters (MQTT 3.1.1, section 1.5.3). A broker closes the connection of
// whoever sends others, which would cut all devices of the gateway off, again
// whenever the message is sent again.
func topicText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// topicFamily is what the first levels of a topic say about it.
type topicFamily uint8

const (
	otherTopic     topicFamily = iota
	sysTopic                   // /sys/pk/dn/rest
	sessionTopic               // /ext/session/pk/dn/combine/rest
	errorTopic                 // /ext/error/pk/dn
	broadcastTopic             // /broadcast/pk/...
	customTopic                // /pk/dn/rest
)

// parseTopic takes a topic apart without allocating: name is
// productKey/deviceName, rest what is behind it.
func parseTopic(topic string) (family topicFamily, name, rest string) {
	for _, p := range [...]struct {
		prefix string
		family topicFamily
	}{{sysPrefix, sysTopic}, {"/ext/session/", sessionTopic}, {"/ext/error/", errorTopic}} {
		if tail, found := strings.CutPrefix(topic, p.prefix); found {
			name, rest = cutName(tail)
			return p.family, name, strings.TrimPrefix(rest, "combine/")
		}
	}
	if strings.HasPrefix(topic, "/broadcast/") {
		return broadcastTopic, "", ""
	}
	if len(topic) > 1 && topic[0] == '/' {
		if name, rest = cutName(topic[1:]); name != "" {
			return customTopic, name, rest
		}
	}
	return otherTopic, "", ""
}

// cutName splits pk/dn/rest behind dn.
func cutName(s string) (name, rest string) {
	i := strings.IndexByte(s, '/')
	if i < 0 {
		return "", ""
	}
	j := strings.IndexByte(s[i+1:], '/')
	if j < 0 {
		return s, ""
	}
	return s[:i+1+j], s[i+2+j:]
}
