package direct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// token is what the platform's authentication service gives a device: it stands
// in for a signature in CONNECT.
type token struct {
	iotID    string
	iotToken auth.Secret
	endpoint *url.URL // nil: the platform named none
	expires  time.Time
}

// tokenLife is how long a token is used: the platform's last seven days.
const tokenLife = 6 * 24 * time.Hour

func (t *token) good(now time.Time) bool { return now.Before(t.expires) }

// maxAnswer bounds what the authentication service may answer, in bytes.
const maxAnswer = 64 << 10

// authCodes are the codes of the authentication service (developer guide, chapter
// 6.1).
var authCodes = map[int]string{
	401:  "the signature is wrong: check the device's secret",
	460:  "a parameter is missing or wrong",
	500:  "the authentication service failed",
	5001: "the platform knows no such device",
	6200: "the product does not allow this kind of authentication",
}

// errAnswer says that the authentication service has answered what cannot be
// understood.
var errAnswer = errors.New("aliyun-direct: not an answer of an authentication service")

// authenticate gets a token. The error is an [upstream.RefusedError] when the
// service says no.
func (c *Connector) authenticate(ctx context.Context, id auth.Identity) (*token, error) {
	now := time.Now()
	form := c.cfg.tokenRequest(id, now)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.tokens, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("aliyun-direct: authenticate: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("aliyun-direct: authenticate: %w", err)
	}
	t, err := parseToken(body)
	if errors.Is(err, errAnswer) {
		return nil, fmt.Errorf("%w: status %s", err, res.Status)
	}
	if err != nil {
		return nil, err
	}
	t.expires = now.Add(tokenLife)
	c.counts.tokens.Add(1)
	return t, nil
}

// tokenRequest is the form of a request for a token. What is signed is all but
// version, sign, resources and signmethod.
func (s *settings) tokenRequest(id auth.Identity, now time.Time) url.Values {
	cid, stamp := s.clientID(id), strconv.FormatInt(now.UnixMilli(), 10)
	return url.Values{
		"productKey": {id.ProductKey}, "deviceName": {id.DeviceName}, "clientId": {cid}, "timestamp": {stamp},
		"sign": {alink.Sign(s.sign, id, cid, stamp)}, "signmethod": {string(s.sign)}, "resources": {"mqtt"}, "version": {"default"},
	}
}

// parseToken reads the answer of the authentication service. The guide's sample
// writes Resources; names of JSON fields are matched without regard to case.
func parseToken(body []byte) (*token, error) {
	var a struct {
		Code    alink.Text `json:"code"`
		Message string     `json:"message"`
		Data    struct {
			IotID     string `json:"iotId"`
			IotToken  string `json:"iotToken"`
			Resources struct {
				MQTT struct {
					Host string     `json:"host"`
					Port alink.Text `json:"port"`
				} `json:"mqtt"`
			} `json:"resources"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &a) != nil {
		return nil, errAnswer
	}
	code, ok := a.Code.Number()
	if !ok {
		return nil, errAnswer
	}
	if code != alink.CodeSuccess {
		reason := authCodes[code]
		if reason == "" {
			reason = "a code that is not documented"
		}
		if a.Message != "" {
			reason = fmt.Sprintf("%s (the platform says %q)", reason, a.Message)
		}
		return nil, &upstream.RefusedError{Code: code, Reason: reason, Temporary: code == http.StatusInternalServerError}
	}
	if a.Data.IotID == "" || a.Data.IotToken == "" {
		return nil, errAnswer
	}
	t := &token{iotID: a.Data.IotID, iotToken: auth.Secret(a.Data.IotToken)}
	if at := a.Data.Resources.MQTT; at.Host != "" {
		port, ok := at.Port.Number()
		if !ok || port < 1 || port > 65535 || strings.ContainsAny(at.Host, "/@: ") {
			return nil, errAnswer
		}
		t.endpoint = &url.URL{Scheme: "ssl", Host: net.JoinHostPort(at.Host, strconv.Itoa(port))}
	}
	return t, nil
}
