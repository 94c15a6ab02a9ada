package certify_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/certify"
)

// says answers every request with the same.
type says []byte

// RoundTrip implements http.RoundTripper.
func (s says) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(s))}, nil
}

// Whatever answers a request for a token: it is a token that can be used, a
// refusal, or no answer.
func FuzzAuthenticate(f *testing.F) {
	f.Add([]byte(`{"code":200,"data":{"iotId":"a","iotToken":"b","Resources":{"mqtt":{"host":"h","port":1883}}},"message":"success"}`))
	f.Add([]byte(`{"code":"401","message":"request auth error"}`))
	f.Add([]byte(`{"code":200,"data":{"iotId":"a","iotToken":"b","resources":{"mqtt":{"host":"a@b","port":"0"}}}}`))
	f.Add([]byte(`{"code":"200","data":{"iotId":"a","iotToken":"b","resources":{"mqtt":{"host":"h","port":"1883"}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := certify.New(certify.Config{Endpoint: "https://h"}, certify.WithHTTPClient(&http.Client{Transport: says(body)}))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Authenticate(t.Context(), auth.Identity{ProductKey: "pk", DeviceName: "d", DeviceSecret: "s"}, "cid", "mqtt")
		if refused := (*upstream.RefusedError)(nil); err != nil {
			if !errors.Is(err, certify.ErrAnswer) && !errors.As(err, &refused) || got.IotToken != "" {
				t.Fatalf("%v, %v", got, err)
			}
			return
		}
		if got.IotID == "" || got.IotToken == "" {
			t.Errorf("token %+v", got)
		}
		for name, r := range got.Resources {
			if r.Host == "" || bytes.ContainsAny([]byte(r.Host), "/@: ") || r.Port < 1 || r.Port > 65535 {
				t.Errorf("%s at %+v", name, r)
			}
		}
	})
}
