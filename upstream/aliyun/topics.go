package aliyun

import (
	"strings"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// The reasons why a message is none that the platform takes.
var (
	// ErrTopic says that a publication's topic is none that the device may publish
	// to, or that a name makes one too long. Want a topic in UTF-8 without
	// wildcards and control characters, of no more than 128 bytes and 7 slashes,
	// that names the device: /productKey/deviceName/... or
	// /sys/productKey/deviceName/..., or one under /broadcast/productKey/. One that
	// begins with no slash is put behind /productKey/deviceName/.
	ErrTopic = alink.ErrTopic
	// ErrName says that an event's or a service's name is empty or cannot be part
	// of a topic.
	ErrName = alink.ErrName
	// ErrTooLarge says that a message is larger than the platform takes: 256 KiB.
	ErrTooLarge = alink.ErrTooLarge
	// ErrCommandID says that a reply's ID is none that the connector gave a command.
	ErrCommandID = alink.ErrCommandID
)

// gatewayTopics are the topics of a gateway itself (developer guide, chapters 9
// and 10).
type gatewayTopics struct {
	login, batchLogin   string
	logout, batchLogout string
	topoAdd             string
	errors              string
	topoNotify          string
	register, found     string
}

func topicsOf(id auth.Identity) gatewayTopics {
	name := id.ProductKey + "/" + id.DeviceName
	session := "/ext/session/" + name + "/combine/"
	return gatewayTopics{
		login:       session + "login",
		batchLogin:  session + "batch_login",
		logout:      session + "logout",
		batchLogout: session + "batch_logout",
		topoAdd:     alink.SysPrefix + name + "/thing/topo/add",
		errors:      "/ext/error/" + name,
		topoNotify:  alink.SysPrefix + name + "/thing/topo/add/notify",
		register:    alink.SysPrefix + name + "/thing/sub/register",
		found:       alink.SysPrefix + name + "/thing/list/found",
	}
}

// gatewayFilters are what a gateway subscribes to before any device logs in.
func (g *gateway) gatewayFilters() []string {
	t := &g.topics
	filters := []string{
		t.login + alink.ReplySuffix, t.batchLogin + alink.ReplySuffix, t.logout + alink.ReplySuffix, t.batchLogout + alink.ReplySuffix,
		t.errors, t.topoAdd + alink.ReplySuffix, t.topoNotify, "/broadcast/" + g.identity.ProductKey + "/#",
	}
	for _, rest := range gatewayReplies[1:] {
		filters = append(filters, alink.SysPrefix+g.identity.String()+"/"+rest)
	}
	if g.cfg.Subscribe == SubscribeWildcard {
		filters = append(filters, deviceFilters(g.cfg, "+/+")...)
	}
	return filters
}

// gatewayReplies are the platform's answers to requests about topology and
// registration, behind /sys/productKey/deviceName/.
var gatewayReplies = []string{
	"thing/topo/add_reply", "thing/topo/delete_reply", "thing/topo/get_reply",
	"thing/sub/register_reply", "thing/sub/unregister_reply", "thing/list/found_reply",
}

// deviceFilters are what is subscribed for one device, or with "+/+" for all.
func deviceFilters(cfg *settings, name string) []string {
	return alink.Filters(name, cfg.Confirm == ConfirmReply, cfg.CustomTopics)
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
	}{{alink.SysPrefix, sysTopic}, {"/ext/session/", sessionTopic}, {"/ext/error/", errorTopic}} {
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
