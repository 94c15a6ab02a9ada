package platform

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the API signs so
	"encoding/base64"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// AccessKey is what an account signs its calls of the API with.
type AccessKey struct {
	AccessKey    string      `conf:"accessKey" doc:"name of the key"`
	AccessSecret auth.Secret `conf:"accessSecret" doc:"signs calls"`
}

// popWindow is how far a call's time may be off, and how long its nonce counts.
const popWindow = 15 * time.Minute

// maxNonces bounds the nonces that are remembered: with more calls than that in
// the window, the oldest may be used again.
const maxNonces = 10_000

// popError is why a call is refused.
type popError struct {
	status     int
	code, text string
}

func (e *popError) Error() string { return "platform: API: " + e.code + ": " + e.text }

// pop answers calls of the API (RPC style, version 2018-01-20): RegisterDevice
// and QueryDeviceDetail.
func (p *Platform) pop(w http.ResponseWriter, r *http.Request) {
	requestID := strings.ToUpper(revealed(randomSecret()))
	data, err := p.popCall(w, r)
	if err == nil {
		writeJSON(w, http.StatusOK, map[string]any{"RequestId": requestID, "Success": true, "Code": "", "Data": data})
		return
	}
	p.refused("pop " + err.code)
	if err.status == http.StatusOK { // the product says no, not the API
		writeJSON(w, err.status, map[string]any{"RequestId": requestID, "Success": false, "Code": err.code, "ErrorMessage": err.text})
		return
	}
	writeJSON(w, err.status, map[string]any{"RequestId": requestID, "HostId": r.Host, "Code": err.code, "Message": err.text})
}

func (p *Platform) popCall(w http.ResponseWriter, r *http.Request) (map[string]any, *popError) {
	v, ok := form(w, r)
	if fault, is := p.strikeHTTP(r, "pop."+v["Action"], key{v["ProductKey"], v["DeviceName"]}); is {
		return nil, popFault(&fault)
	}
	if !ok {
		return nil, &popError{http.StatusBadRequest, "InvalidParameter", "no form, or a parameter is there twice"}
	}
	if err := p.popAuthorized(r.Method, v); err != nil {
		return nil, err
	}
	k := key{v["ProductKey"], v["DeviceName"]}
	var data map[string]any
	var no *popError
	switch v["Action"] {
	case "RegisterDevice":
		data, no = p.popRegister(k)
	case "QueryDeviceDetail":
		data, no = p.popDetail(k)
	default:
		return nil, &popError{http.StatusNotFound, "InvalidAction.NotFound", "want RegisterDevice or QueryDeviceDetail"}
	}
	if no == nil && p.committed(reply{code: CodeOK}).code != CodeOK {
		return nil, &popError{http.StatusServiceUnavailable, "ServiceUnavailable", "not saved"}
	}
	return data, no
}

// popAuthorized checks what every call has.
func (p *Platform) popAuthorized(method string, v map[string]string) *popError {
	for name, want := range map[string]string{"Version": "2018-01-20", "Format": "JSON", "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0"} {
		if v[name] != want {
			return &popError{http.StatusBadRequest, "InvalidParameter." + name, "want " + want}
		}
	}
	at, err := time.Parse("2006-01-02T15:04:05Z", v["Timestamp"])
	now := p.now()
	if err != nil || now.Sub(at).Abs() > popWindow {
		return &popError{http.StatusBadRequest, "InvalidTimeStamp.Expired", "want the time in UTC, as 2018-07-31T07:43:57Z"}
	}
	if v["SignatureNonce"] == "" || v["RegionId"] == "" {
		return &popError{http.StatusBadRequest, "MissingParameter", "want SignatureNonce and RegionId"}
	}
	secret, known := p.accounts[v["AccessKeyId"]]
	if !known {
		return &popError{http.StatusNotFound, "InvalidAccessKeyId.NotFound", "specified access key is not found"}
	}
	content := popContent(method, v)
	mac := hmac.New(sha1.New, []byte(secret.Reveal()+"&"))
	mac.Write([]byte(content))
	given, err := base64.StdEncoding.DecodeString(v["Signature"])
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return &popError{http.StatusBadRequest, "SignatureDoesNotMatch", "the string to sign is " + content}
	}
	if !p.nonces.first(v["AccessKeyId"]+" "+v["SignatureNonce"], now) {
		return &popError{http.StatusBadRequest, "SignatureNonceUsed", "the nonce was used before"}
	}
	return nil
}

// popContent is what a call's signature covers.
func popContent(method string, v map[string]string) string {
	names := make([]string, 0, len(v))
	for name := range v {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	pairs := make([]string, 0, len(names))
	for _, name := range names {
		pairs = append(pairs, percent(name)+"="+percent(v[name]))
	}
	return method + "&" + percent("/") + "&" + percent(strings.Join(pairs, "&"))
}

// percent encodes all but what RFC 3986, section 2.3, calls unreserved.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// popRegister creates a device.
func (p *Platform) popRegister(k key) (map[string]any, *popError) {
	if len(k.device) < 4 || len(k.device) > 32 || !validName(k.device) || !validName(k.product) {
		return nil, &popError{http.StatusOK, "iot.device.InvalidFormattedDeviceName", "want 4 to 32 letters, digits and any of -_@.:"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cfg.AutoRegister && !p.hasProduct(k.product) && p.products[k.product].ProductKey == "" {
		return nil, &popError{http.StatusOK, "iot.prod.NotExistedProduct", "no such product"}
	}
	if dev := p.devices[k]; dev != nil && !dev.deleted {
		return nil, &popError{http.StatusOK, "iot.device.AlreadyExistedDeviceName", "the device exists"}
	}
	dev, err := p.create(k, randomSecret())
	if err != nil {
		return nil, &popError{http.StatusOK, "iot.device.CreateDeviceFailed", err.Error()}
	}
	if dev.deleted {
		dev.deleted, dev.secret = false, randomSecret()
	}
	p.alter(dev)
	return popDevice(dev), nil
}

// popDetail says all of a device, its secret included. What was made on the fly
// has none, until somebody asks here.
func (p *Platform) popDetail(k key) (map[string]any, *popError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dev := p.devices[k]
	if dev == nil || dev.deleted {
		return nil, &popError{http.StatusOK, "iot.device.NotExistedDevice", "no such device"}
	}
	if dev.secret == "" {
		dev.secret, dev.unverified = randomSecret(), false
		p.alter(dev)
	}
	data := popDevice(dev)
	switch {
	case dev.disabled:
		data["Status"] = "DISABLE"
	case dev.via.Load() != nil:
		data["Status"] = "ONLINE"
	case dev.since.IsZero():
		data["Status"] = "UNACTIVE"
	default:
		data["Status"] = "OFFLINE"
	}
	return data, nil
}

func popDevice(dev *device) map[string]any {
	return map[string]any{
		"ProductKey": dev.key.product, "DeviceName": dev.key.device, "DeviceSecret": revealed(dev.secret), "IotId": dev.iotID(),
	}
}

// accountsOf are the keys by name.
func accountsOf(keys []AccessKey) map[string]auth.Secret {
	m := make(map[string]auth.Secret, len(keys))
	for _, k := range keys {
		m[k.AccessKey] = k.AccessSecret
	}
	return m
}
