package platform

import "strings"

// key names a device.
type key struct{ product, device string }

func (k key) String() string { return k.product + "/" + k.device }

// parseKey reads productKey/deviceName.
func parseKey(s string) (key, bool) {
	pk, dn, _ := strings.Cut(s, "/")
	return key{pk, dn}, validName(pk) && validName(dn)
}

// family is what the head of a topic says about it.
type family uint8

const (
	unknownFamily family = iota
	sysFamily            // /sys/{pk}/{dn}/...: Alink
	sessionFamily        // /ext/session/{pk}/{dn}/...: logins of sub-devices
	errorFamily          // /ext/error/{pk}/{dn}: what went wrong with a sub-device
	otaFamily            // /ota/device/{verb}/{pk}/{dn}
	shadowFamily         // /shadow/{verb}/{pk}/{dn}
	extFamily            // /ext/{service}/{pk}/{dn}/...: ntp and others
	broadFamily          // /broadcast/{pk}/...: no device
	customFamily         // /{pk}/{dn}/...: the user's own
)

// topic is a topic, or a topic filter, taken apart. Its strings are parts of
// the text it was made from.
type topic struct {
	family family
	owner  key
	rest   string // behind the device; otaFamily, shadowFamily and extFamily: the verb
}

// parseTopic takes a topic or a topic filter apart. Wildcards are left where
// they stand.
func parseTopic(s string) topic {
	if s == "" || s[0] != '/' {
		return topic{}
	}
	head, tail, _ := strings.Cut(s[1:], "/")
	switch head {
	case "sys":
		return owned(sysFamily, tail)
	case "ext":
		verb, after, _ := strings.Cut(tail, "/")
		switch verb {
		case "session":
			return owned(sessionFamily, after)
		case "error":
			return owned(errorFamily, after)
		case "rrpc": // /ext/rrpc/{message id}/{topic}
			_, after, _ = strings.Cut(after, "/")
			t := owned(extFamily, after)
			if t.family != unknownFamily {
				t.rest = verb
			}
			return t
		default:
			return ownedVerb(extFamily, tail)
		}
	case "ota":
		_, tail, _ = strings.Cut(tail, "/") // device
		return ownedVerb(otaFamily, tail)
	case "shadow":
		return ownedVerb(shadowFamily, tail)
	case "broadcast":
		pk, rest, _ := strings.Cut(tail, "/")
		return topic{family: broadFamily, owner: key{product: pk}, rest: rest}
	default:
		return owned(customFamily, s[1:])
	}
}

// ownedVerb is owned of {verb}/{pk}/{dn}/...
func ownedVerb(f family, s string) topic {
	verb, s, _ := strings.Cut(s, "/")
	t := owned(f, s)
	if t.family != unknownFamily {
		t.rest = verb
	}
	return t
}

func owned(f family, s string) topic {
	pk, s, _ := strings.Cut(s, "/")
	dn, rest, _ := strings.Cut(s, "/")
	if pk == "" || dn == "" || wild(pk) || wild(dn) {
		return topic{}
	}
	return topic{family: f, owner: key{pk, dn}, rest: rest}
}

func wild(s string) bool { return strings.ContainsAny(s, "+#") }

// matches says whether the filter takes the topic (MQTT 3.1.1, section 4.7).
// Neither begins with $.
func matches(filter, topic string) bool {
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, trest, tmore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		switch {
		case !fmore && !tmore:
			return true
		case !tmore:
			return frest == "#"
		case !fmore:
			return false
		}
		filter, topic = frest, trest
	}
}

// The vendor's bounds on topics.
const (
	maxTopicLen    = 128
	maxTopicLevels = 7 // slashes
)
