package platform

import (
	"encoding/json"
	"strings"
)

// request is an Alink request about topology or sessions. These are rare, so
// they are read with encoding/json.
type request struct {
	id     string
	params json.RawMessage
}

// parseRequest reads a request; ok is false when it is none. What could be
// read of the id is there all the same, for the answer.
func parseRequest(payload []byte) (r request, ok bool) {
	ok = fields(payload, func(key, value []byte) bool {
		switch string(key) {
		case "id":
			text, isScalar := scalar(value)
			if !isScalar {
				return false
			}
			r.id = string(text)
		case "params":
			r.params = value
		case "version":
			text, isText := unquote(value)
			return isText && string(text) == alinkVersion
		}
		return true
	})
	return r, ok && r.id != ""
}

const alinkVersion = "1.0"

// object is the parameters of one device.
type object map[string]json.RawMessage

// text is the text of a parameter that is a string; numbers and truths count
// where the vendor's samples are not of one mind. Empty when there is none.
func (o object) text(name string) string {
	value := o[name]
	if s, ok := scalar(value); ok {
		return string(s)
	}
	if s := string(value); s == "true" || s == "false" {
		return s
	}
	return ""
}

// key is the device the parameters name.
func (o object) key() (key, bool) {
	k := key{o.text("productKey"), o.text("deviceName")}
	return k, validName(k.product) && validName(k.device)
}

// credentials reads the parameters of a login ("signMethod") or of a topology
// request ("signmethod", also "signMethod"), with the method's name as it is
// there. ok is false when one is missing or unknown.
func (o object) credentials(methodName string, lenient bool) (c credentials, ok bool) {
	k, ok := o.key()
	c = credentials{
		clientID:     o.text("clientId"),
		deviceName:   k.device,
		productKey:   k.product,
		timestamp:    o.text("timestamp"),
		cleanSession: o.text("cleanSession"),
		method:       o.text(methodName),
		sign:         o.text("sign"),
	}
	if c.method == "" && lenient {
		c.method = o.text("signMethod") + o.text("signmethod")
	}
	ok = ok && c.clientID != "" && len(c.clientID) <= maxClientID && c.sign != "" && newHash(c.method) != nil &&
		strings.Trim(c.timestamp, "0123456789") == ""
	return c, ok
}

func parseObject(text json.RawMessage) (o object, ok bool) {
	err := json.Unmarshal(text, &o)
	return o, err == nil && o != nil
}

// parseObjects reads a list of parameters that is not empty.
func parseObjects(text json.RawMessage) (list []object, ok bool) {
	err := json.Unmarshal(text, &list)
	if err != nil || len(list) == 0 {
		return nil, false
	}
	for _, o := range list {
		if o == nil {
			return nil, false
		}
	}
	return list, true
}

// deviceList is devices as replies name them.
func deviceList(keys []key) json.RawMessage {
	type named struct {
		ProductKey string `json:"productKey"`
		DeviceName string `json:"deviceName"`
	}
	list := make([]named, 0, len(keys))
	for _, k := range keys {
		list = append(list, named{k.product, k.device})
	}
	data, _ := json.Marshal(list) // strings only: cannot fail
	return data
}
