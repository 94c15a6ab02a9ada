package platform

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// serveAuth starts the vendor's HTTP services: authentication and registration of
// devices, and the API for accounts. Close ends it and waits for it. mu is held.
func (p *Platform) serveAuth() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /auth/devicename", p.authDeviceName)
	mux.HandleFunc("POST /auth/register/device", p.authRegister)
	mux.HandleFunc("GET /{$}", p.pop)
	mux.HandleFunc("POST /{$}", p.pop)
	srv := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(zap.NewNop()),
	}
	p.authSrv = srv
	p.wg.Go(func() { // ends with its listener
		if err := srv.Serve(p.authLn); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("the authentication service ended", zap.NamedError("err", err))
		}
	})
}

// AuthAddr is where the vendor's HTTP services are, host:port; empty before Start
// and without an authAddress.
func (p *Platform) AuthAddr() string { return p.addr(&p.authLn) }

const maxForm = 16 << 10 // bytes

// form reads the parameters of a request, each of which may be there once.
func form(w http.ResponseWriter, r *http.Request) (values map[string]string, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, false
	}
	values = make(map[string]string, len(r.Form))
	for name, list := range r.Form {
		if len(list) != 1 {
			return nil, false
		}
		values[name] = list[0]
	}
	return values, true
}

// answerAuth answers as the vendor does: with status 200 whatever the code is.
func (p *Platform) answerAuth(w http.ResponseWriter, service string, code Code, data any) {
	if code != CodeOK {
		p.refused(service + " " + strconv.Itoa(int(code)))
		data = nil
	}
	writeJSON(w, http.StatusOK, struct {
		Code    Code   `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{code, code.String(), data})
}

// authDeviceName proves a device and gives it a token for MQTT.
func (p *Platform) authDeviceName(w http.ResponseWriter, r *http.Request) {
	const service = "auth/devicename"
	v, ok := form(w, r)
	if fault, is := p.strikeHTTP(r, "auth.devicename", key{v["productKey"], v["deviceName"]}); is {
		p.answerAuth(w, service, Code(fault.code), nil)
		return
	}
	cred := credentials{
		clientID: v["clientId"], deviceName: v["deviceName"], productKey: v["productKey"],
		timestamp: v["timestamp"], method: v["signmethod"], sign: v["sign"],
	}
	if cred.method == "" {
		cred.method = "hmacmd5"
	}
	k := key{cred.productKey, cred.deviceName}
	if !ok || !validName(k.product) || !validName(k.device) || cred.clientID == "" || len(cred.clientID) > maxClientID ||
		cred.sign == "" || newHash(cred.method) == nil || strings.Trim(cred.timestamp, "0123456789") != "" {
		p.answerAuth(w, service, CodeParameter, nil)
		return
	}
	dev, err := p.deviceFor(k)
	if err != nil {
		p.answerAuth(w, service, CodeNoMeta, nil)
		return
	}
	switch code := p.checkIdentity(dev, &cred); code {
	case CodeOK:
	case CodeDeleted:
		p.answerAuth(w, service, CodeNoMeta, nil)
		return
	case CodeSign:
		p.answerAuth(w, service, CodeAuth, nil)
		return
	default:
		p.answerAuth(w, service, code, nil)
		return
	}
	iotID, secret := p.newToken(dev)
	data := map[string]any{"iotId": iotID, "iotToken": revealed(secret)}
	if resources := p.resources(r, v["resources"]); len(resources) > 0 {
		data["resources"] = resources
	}
	p.answerAuth(w, service, CodeOK, data)
}

// resources are the addresses of services that are asked for.
func (p *Platform) resources(r *http.Request, wanted string) map[string]any {
	out := map[string]any{}
	for name := range strings.SplitSeq(wanted, ",") {
		if name != "mqtt" {
			continue
		}
		where := p.TLSAddr()
		if where == "" {
			where = p.MQTTAddr()
		}
		host, port, err := net.SplitHostPort(where)
		n, err2 := strconv.Atoi(port)
		if err != nil || err2 != nil {
			continue
		}
		if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() { // everywhere: the caller has come to one of the places
			host = r.Host
			if h, _, err := net.SplitHostPort(r.Host); err == nil {
				host = h
			}
		}
		out[name] = map[string]any{"host": host, "port": n}
	}
	return out
}

// authRegister gives a device a secret for that of its product.
func (p *Platform) authRegister(w http.ResponseWriter, r *http.Request) {
	const service = "auth/register/device"
	v, ok := form(w, r)
	if fault, is := p.strikeHTTP(r, "auth.register", key{v["productKey"], v["deviceName"]}); is {
		p.answerAuth(w, service, Code(fault.code), nil)
		return
	}
	if !ok {
		p.answerAuth(w, service, CodeParameter, nil)
		return
	}
	in := registration{key: key{v["productKey"], v["deviceName"]}, random: v["random"], method: v["signMethod"], sign: v["sign"]}
	secret, code := p.register(&in)
	p.answerAuth(w, service, code, map[string]string{
		"productKey": in.key.product, "deviceName": in.key.device, "deviceSecret": revealed(secret),
	})
}
