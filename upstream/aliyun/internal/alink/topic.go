package alink

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
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

// ErrProperties says that a message has more than 200 properties.
var ErrProperties = errors.New("aliyun: more than 200 properties in one message")

// The platform's limits.
const (
	MaxPayload     = 256 << 10 // bytes of a message
	MaxTopic       = 128       // bytes
	maxTopicLevels = 7         // slashes in a topic
	MaxProperties  = 200       // of one property post
)

const (
	// SysPrefix begins the topics that the platform gives a device.
	SysPrefix = "/sys/"
	// ReplySuffix ends the topic of an answer.
	ReplySuffix    = "_reply"
	propertySuffix = "/thing/event/property/post"
)

// Name is how topics name a device. Its parts share one string, the topic of its
// property posts.
type Name struct {
	base       string
	productLen uint8
}

// NameOf is the name of a device, whose product key has no more than 255 bytes.
func NameOf(productKey, deviceName string) Name {
	return Name{
		base:       SysPrefix + productKey + "/" + deviceName + propertySuffix,
		productLen: uint8(len(productKey)), //nolint:gosec // callers check names
	}
}

// Sys is /sys/productKey/deviceName.
func (n *Name) Sys() string { return n.base[:len(n.base)-len(propertySuffix)] }

// String is productKey/deviceName.
func (n *Name) String() string { return n.Sys()[len(SysPrefix):] }

// ProductKey is the name of the device's product.
func (n *Name) ProductKey() string { return n.String()[:n.productLen] }

// DeviceName is the device's name within its product.
func (n *Name) DeviceName() string { return n.String()[n.productLen+1:] }

// Filters are the topics of a device that the platform speaks on, as filters of
// subscriptions. name is productKey/deviceName, or "+/+" for all. answers has
// those to posts among them; custom are topics of the device's own, without the
// name in front.
func Filters(name string, answers bool, custom []string) []string {
	sys := SysPrefix + name
	filters := []string{
		sys + "/thing/service/#", // property/set, property/get and the services of the product
		sys + "/thing/model/down_raw",
		sys + "/thing/disable",
		sys + "/thing/enable",
		sys + "/thing/delete",
		sys + "/rrpc/request/+",
	}
	if answers {
		filters = append(filters, sys+"/thing/event/+/post_reply")
	}
	for _, t := range custom {
		filters = append(filters, "/"+name+"/"+t)
	}
	return filters
}

// topicOf is the topic that a publication names: as it is, or below the device's
// own when it does not begin with a slash.
func (n *Name) topicOf(topic string) (string, error) {
	if topic != "" && topic[0] != '/' {
		topic = "/" + n.String() + "/" + topic
	}
	return topic, n.checkTopic(topic)
}

// checkTopic says whether the device may publish to topic.
func (n *Name) checkTopic(topic string) error {
	if len(topic) == 0 || len(topic) > MaxTopic || topic[0] != '/' || strings.Count(topic, "/") > maxTopicLevels || !TopicText(topic) || strings.ContainsAny(topic, "+#") {
		return ErrTopic
	}
	if n.names(topic) {
		return nil
	}
	if rest, found := strings.CutPrefix(topic, "/broadcast/"); found {
		if rest, found = strings.CutPrefix(rest, n.ProductKey()); found && strings.HasPrefix(rest, "/") {
			return nil
		}
	}
	return ErrTopic
}

// names says whether topic has /productKey/deviceName as two of its levels, the
// last of which may end it.
func (n *Name) names(topic string) bool {
	name := n.base[len(SysPrefix)-1 : len(n.base)-len(propertySuffix)]
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

// CheckName says whether name can be one level of a topic.
func CheckName(name string) error {
	if name == "" || len(name) > MaxTopic/2 || !TopicText(name) || strings.ContainsAny(name, "/+#") {
		return ErrName
	}
	return nil
}

// TopicText says whether s can be part of a topic: UTF-8 without control
// characters (MQTT 3.1.1, section 1.5.3). A broker closes the connection of
// whoever sends others, which would cut all devices of the gateway off, again
// whenever the message is sent again.
func TopicText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// PlainName says whether s can be a level of a topic and part of a user name.
func PlainName(s string) bool { return s != "" && TopicText(s) && !strings.ContainsAny(s, "/+#&| ") }
