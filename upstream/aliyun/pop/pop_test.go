package pop_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// The first is the vendor's published example; the second a published one of
// another of its products; of the third the inputs are published, and the result
// was computed by other means.
func TestSignature(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, secret, want string
		params             map[string]string
	}{
		{
			name: "published, of the IoT product", secret: "testsecret", want: "Y9eWn4nF8QPh3c4zAFkM/k/u7eA=",
			params: map[string]string{
				"AccessKeyId": "testid", "Action": "Pub", "Format": "XML", "MessageContent": "aGVsbG93b3JsZA=", "ProductKey": "12345abcdeZ",
				"Qos": "0", "RegionId": "cn-shanghai", "ServiceCode": "iot", "SignatureMethod": "HMAC-SHA1",
				"SignatureNonce": "0715a395-aedf-4a41-bab7-746b43d38d88", "SignatureVersion": "1.0", "Timestamp": "2017-10-02T09:39:41Z",
				"TopicFullName": "/productKey/testdevice/get", "Version": "2017-04-20",
			},
		},
		{
			name: "published, of another product", secret: "testsecret", want: "OLeaidS1JvxuMvnyHOwuJ+uX5qY=",
			params: map[string]string{
				"AccessKeyId": "testid", "Action": "DescribeRegions", "Format": "XML", "SignatureMethod": "HMAC-SHA1",
				"SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion": "1.0", "Timestamp": "2016-02-23T12:46:24Z", "Version": "2014-05-26",
			},
		},
		{
			name: "RegisterDevice", secret: "123456789012345678901234567890", want: "zqw+pTAEOU3GWZhpgGlXJJTTYAo=",
			params: map[string]string{
				"AccessKeyId": "1234567890123456", "Action": "RegisterDevice", "Format": "JSON", "Version": "2018-01-20",
				"SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "Timestamp": "2018-07-31T07:43:57Z", "SignatureNonce": "1533023037",
				"RegionId": "cn-shanghai", "DeviceName": "1533023037", "ProductKey": "axxxUtgaRLB",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := pop.Sign(http.MethodGet, auth.Secret(c.secret), c.params); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestProfileMistakes(t *testing.T) {
	t.Parallel()
	_, err := pop.New(pop.Profile{Endpoint: "http://iot.cn-shanghai.aliyuncs.com"})
	for _, want := range []string{"accessKey is missing", "accessSecret is missing", "region is missing", "in the clear"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// client asks a server that answers as answer says.
func client(t *testing.T, answer http.HandlerFunc) *pop.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	c, err := pop.New(pop.Profile{AccessKey: "ak", AccessSecret: "sk", Region: "cn-shanghai", Endpoint: s.URL, InstanceID: "iot-1"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   func(error) bool
	}{
		{"of the API", 200, `{"Success":true,"Data":{"ProductKey":"pk","DeviceName":"dn","DeviceSecret":"s","IotId":"i","Status":"UNACTIVE"}}`, func(err error) bool { return err == nil }},
		{"another device", 200, `{"Success":true,"Data":{"ProductKey":"pk","DeviceName":"other","DeviceSecret":"s"}}`, func(err error) bool { return errors.Is(err, pop.ErrAnswer) }},
		{"no secret", 200, `{"Success":true,"Data":{"ProductKey":"pk","DeviceName":"dn"}}`, func(err error) bool { return errors.Is(err, pop.ErrAnswer) }},
		{"no data", 200, `{"Success":true}`, func(err error) bool { return errors.Is(err, pop.ErrAnswer) }},
		{"no JSON", 502, `<html>`, func(err error) bool { return errors.Is(err, pop.ErrAnswer) }},
		{"too long", 200, strings.Repeat(" ", 1<<20) + `{}`, func(err error) bool { return errors.Is(err, pop.ErrAnswer) }},
		{"a refusal", 404, `{"Code":"InvalidAccessKeyId.NotFound","Message":"Specified access key is not found."}`, func(err error) bool {
			var e *pop.Error
			return errors.As(err, &e) && e.Code == "InvalidAccessKeyId.NotFound" && !e.Temporary() && errors.Is(err, auth.ErrDenied)
		}},
		{"a refusal of the product", 200, `{"Success":false,"Code":"iot.device.NotExistedDevice","ErrorMessage":"no such device"}`, func(err error) bool {
			var e *pop.Error
			return errors.As(err, &e) && e.Message == "no such device" && errors.Is(err, auth.ErrDenied)
		}},
		{"too often", 400, `{"Code":"Throttling.User","Message":"slow down"}`, func(err error) bool { return !errors.Is(err, auth.ErrDenied) }},
		{"a failure", 503, `{"Code":"ServiceUnavailable","Message":"later"}`, func(err error) bool { return !errors.Is(err, auth.ErrDenied) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := client(t, func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("IotInstanceId") != "iot-1" || r.FormValue("Action") != "QueryDeviceDetail" {
					t.Errorf("asked for %v", r.Form)
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body)) // the client may have read enough
			})
			d, err := p.QueryDeviceDetail(context.Background(), "pk", "dn")
			if !c.want(err) {
				t.Errorf("error %v", err)
			}
			if err == nil && (d.DeviceSecret != "s" || d.IotID != "i" || d.Status != "UNACTIVE") {
				t.Errorf("got %+v", d)
			}
		})
	}
}
