package platform

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform/api"
)

const (
	maxBody  = 1 << 20          // bytes of a request's body
	maxWait  = 60 * time.Second // for a reply
	pageSize = 100              // devices per page when the caller names none
	maxPage  = 10_000
)

// serveAPI starts the HTTP API. Close ends it and waits for it. mu is held.
func (p *Platform) serveAPI() {
	srv := &http.Server{
		Handler:           p.guard(p.routes()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      maxWait + 30*time.Second, // a watch sets its own, write by write
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(zap.NewNop()),
	}
	p.apiSrv = srv
	p.wg.Add(1)
	go func(ln net.Listener) { // Close waits for it
		defer p.wg.Done()
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("the HTTP API ended", zap.NamedError("err", err))
		}
	}(p.apiLn)
}

// handler answers a request with a document or an error.
type handler func(r *http.Request) (any, error)

func (p *Platform) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h handler) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			v, err := h(r)
			if err != nil {
				writeError(w, err)
				return
			}
			writeJSON(w, http.StatusOK, v)
		})
	}
	const device = " /api/v1/devices/{pk}/{dn}"
	handle("GET /api/v1/devices", p.getDevices)
	handle("POST /api/v1/devices", p.postDevice)
	handle("GET"+device, p.getDevice)
	handle("DELETE"+device, p.managed(p.Delete))
	handle("POST"+device+"/disable", p.managed(p.Disable))
	handle("POST"+device+"/enable", p.managed(p.Enable))
	handle("POST"+device+"/kick", p.managed(p.Kick))
	handle("POST"+device+"/properties", p.postProperties)
	handle("POST"+device+"/properties/get", p.postPropertiesGet)
	handle("POST"+device+"/services/{name}", p.postService)
	handle("POST"+device+"/services/{name}/sync", p.postServiceSync)
	handle("POST"+device+"/topology/notify", p.postTopology)
	handle("POST"+device+"/raw", p.postRaw)
	handle("POST"+device+"/rrpc", p.postRRPC)
	handle("POST"+device+"/publish", p.postPublish)
	handle("GET"+device+"/shadow", p.getShadow)
	handle("POST"+device+"/shadow", p.postShadow)
	handle("GET /api/v1/stats", func(*http.Request) (any, error) { return p.Stats(), nil })
	handle("GET /api/v1/log", func(*http.Request) (any, error) { return p.Log(), nil })
	handle("GET /api/v1/faults", func(*http.Request) (any, error) { return p.Faults(), nil })
	handle("POST /api/v1/faults", p.postFaults)
	handle("DELETE /api/v1/faults", func(*http.Request) (any, error) { p.ClearFaults(); return p.Faults(), nil })
	handle("GET /api/v1/faults/rules", func(*http.Request) (any, error) { return p.FaultRules(), nil })
	handle("POST /api/v1/faults/rules", p.postRule)
	handle("DELETE /api/v1/faults/rules/{id}", func(r *http.Request) (any, error) { return p.RemoveFault(r.PathValue("id")) })
	mux.HandleFunc("GET /api/v1/watch", p.watch)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeError(w, noRoute(mux, r)) })
	return mux
}

// noRoute says why a request has no handler.
func noRoute(mux *http.ServeMux, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		try := r.Clone(r.Context())
		try.Method = method
		if _, pattern := mux.Handler(try); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		return &api.Error{
			Status: http.StatusMethodNotAllowed, Code: api.CodeMethod,
			Message: r.Method + " is not for " + r.URL.Path, Hint: "use " + strings.Join(allowed, " or "),
		}
	}
	return &api.Error{
		Status: http.StatusNotFound, Code: api.CodeNotFound,
		Message: "no such path: " + r.URL.Path, Hint: "begin with /api/v1/devices, /stats, /log, /watch or /faults",
	}
}

// guard keeps web pages out: a browser on this machine may be made to call the
// loopback, but not to lie about where it comes from.
func (p *Platform) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && !sameHost(origin, r.Host) {
			writeError(w, &api.Error{
				Status: http.StatusForbidden, Code: api.CodeForbidden,
				Message: "a page of " + origin + " may not use this API", Hint: "call it from outside a browser, or from its own address",
			})
			return
		}
		if !knownHost(r.Host) {
			writeError(w, &api.Error{
				Status: http.StatusForbidden, Code: api.CodeForbidden,
				Message: "the API does not answer to the name " + r.Host, Hint: "use localhost or an IP address",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host == host
}

// knownHost says whether host is localhost or an IP address: names can be made
// to point here by anybody.
func knownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || strings.EqualFold(name, "localhost")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // data of a device that is no JSON after all
		status, text = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer is no JSON"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a caller that has gone needs no answer
}

func writeError(w http.ResponseWriter, err error) {
	var e *api.Error
	if !errors.As(err, &e) {
		e = &api.Error{Status: http.StatusInternalServerError, Code: "internal", Message: err.Error()}
		switch {
		case errors.Is(err, ErrUnknownDevice):
			e.Status, e.Code = http.StatusNotFound, api.CodeNoDevice
			e.Hint = "linkspan platform devices (GET /api/v1/devices) lists those there are"
		case errors.Is(err, ErrTooManyCommands), errors.Is(err, ErrTooManyWatchers), errors.Is(err, ErrTooManyDevices):
			e.Status, e.Code = http.StatusTooManyRequests, api.CodeBusy
		case errors.Is(err, ErrClosed):
			e.Status, e.Code = http.StatusServiceUnavailable, api.CodeBusy
		}
	}
	writeJSON(w, e.Status, map[string]*api.Error{"error": e})
}

// body reads the JSON body into v; an empty one leaves v as it is.
func body(r *http.Request, v any) error {
	text, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &api.Error{
			Status: http.StatusRequestEntityTooLarge, Code: api.CodeTooLarge,
			Message: fmt.Sprintf("the body has more than %d bytes", large.Limit),
		}
	}
	if err != nil {
		return badRequest("read body: %v", err)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields() // a fault with a key that is misspelt would strike all
	if err := dec.Decode(v); err != nil {
		return badRequest("the body is not the JSON that is wanted: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body is not the JSON that is wanted: there is more behind it")
	}
	return nil
}

func keyOf(r *http.Request) key { return key{r.PathValue("pk"), r.PathValue("dn")} }

// waitOf reads ?wait: 0 is the default, below 0 nobody waits.
func waitOf(r *http.Request) (time.Duration, error) {
	s := r.URL.Query().Get("wait")
	if s == "" {
		return 0, nil
	}
	if s == "0" || s == "false" {
		return -1, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxWait {
		return 0, badRequest("wait is %q; want a time like 2s, at most %s, or 0 to not wait", s, maxWait)
	}
	if d == 0 {
		return -1, nil
	}
	return d, nil
}

func (p *Platform) getDevices(r *http.Request) (any, error) {
	q := r.URL.Query()
	number := func(name string, value, most int) (int, error) {
		if s := q.Get(name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n > most {
				return 0, badRequest("%s is %q; want 0 to %d", name, s, most)
			}
			value = n
		}
		return value, nil
	}
	offset, err := number("offset", 0, 1<<31-1)
	if err != nil {
		return nil, err
	}
	limit, err := number("limit", pageSize, maxPage)
	if err != nil {
		return nil, err
	}
	if limit == 0 {
		limit = maxPage
	}
	var online *bool
	if s := q.Get("online"); s != "" {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return nil, badRequest("online is %q; want true or false", s)
		}
		online = &b
	}
	return p.Devices(online, offset, limit), nil
}

func (p *Platform) postDevice(r *http.Request) (any, error) {
	var d struct {
		ProductKey   string `json:"productKey"`
		DeviceName   string `json:"deviceName"`
		DeviceSecret string `json:"deviceSecret"`
		Gateway      string `json:"gateway"`
	}
	if err := body(r, &d); err != nil {
		return nil, err
	}
	id := auth.Identity{ProductKey: d.ProductKey, DeviceName: d.DeviceName, DeviceSecret: auth.Secret(d.DeviceSecret)}
	if err := p.AddDevice(id, d.Gateway); err != nil {
		if errors.Is(err, ErrTooManyDevices) || errors.Is(err, ErrUnknownDevice) {
			return nil, err
		}
		return nil, badRequest("%v", err)
	}
	return p.Device(d.ProductKey, d.DeviceName)
}

func (p *Platform) getDevice(r *http.Request) (any, error) {
	return p.Device(r.PathValue("pk"), r.PathValue("dn"))
}

func (p *Platform) managed(change func(productKey, deviceName string) error) handler {
	return func(r *http.Request) (any, error) {
		k := keyOf(r)
		if err := change(k.product, k.device); err != nil {
			return nil, err
		}
		return p.Device(k.product, k.device)
	}
}

func (p *Platform) postProperties(r *http.Request) (any, error) {
	return p.postCall(r, "thing/service/property/set", &json.RawMessage{})
}

func (p *Platform) postPropertiesGet(r *http.Request) (any, error) {
	names := []string{}
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	if err := body(r, &names); err != nil {
		return nil, err
	}
	return p.call(r.Context(), keyOf(r), "thing/service/property/get", names, wait)
}

func (p *Platform) postService(r *http.Request) (any, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	var params json.RawMessage
	if err := body(r, &params); err != nil {
		return nil, err
	}
	return p.invoke(r.Context(), keyOf(r), r.PathValue("name"), orEmpty(params), wait)
}

func (p *Platform) postCall(r *http.Request, rest string, params *json.RawMessage) (any, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	if err := body(r, params); err != nil {
		return nil, err
	}
	if len(*params) == 0 {
		return nil, badRequest("the body is empty; want a JSON object of properties")
	}
	return p.call(r.Context(), keyOf(r), rest, *params, wait)
}

func orEmpty(params json.RawMessage) json.RawMessage {
	if len(params) == 0 {
		return json.RawMessage("{}")
	}
	return params
}

// postRaw takes the bytes as hexadecimal text.
func (p *Platform) postRaw(r *http.Request) (any, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Hex string `json:"hex"`
	}
	if err = body(r, &in); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(strings.NewReplacer(" ", "", ":", "", "0x", "").Replace(in.Hex))
	if err != nil || len(raw) == 0 {
		return nil, badRequest(`want {"hex":"01a2..."} with at least one byte`)
	}
	return p.order(r.Context(), keyOf(r), rawDown, p.orders.nextID(), raw, wait)
}

func (p *Platform) postFaults(r *http.Request) (any, error) {
	var f api.Faults
	if err := body(r, &f); err != nil {
		return nil, err
	}
	if err := p.SetFaults(f); err != nil {
		return nil, err
	}
	return p.Faults(), nil
}
