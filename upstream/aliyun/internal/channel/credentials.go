package channel

import (
	"strconv"
	"time"

	"golang.org/x/net/http2/hpack"

	"github.com/linkspan/linkspan/auth"
)

// Credentials are the headers by which a first request authenticates. They are
// made anew for each connection.
type Credentials func(now time.Time) []hpack.HeaderField

const (
	sdkVersion     = "301"
	sdkVersionName = "3.0.1"
)

func sdk() []hpack.HeaderField {
	return []hpack.HeaderField{
		{Name: "x-sdk-version", Value: sdkVersion},
		{Name: "x-sdk-version-name", Value: sdkVersionName},
		{Name: "x-sdk-platform", Value: "go"},
	}
}

// secret is a header that no table of compression remembers.
func secret(name, value string) hpack.HeaderField {
	return hpack.HeaderField{Name: name, Value: value, Sensitive: true}
}

// Device authenticates as a device: what is signed is what MQTT signs. stamp is
// whether the time is among it.
func Device(method auth.SignMethod, id auth.Identity, clientID string, stamp bool) Credentials {
	return func(now time.Time) []hpack.HeaderField {
		params := []auth.Param{
			{Name: "clientId", Value: clientID},
			{Name: "deviceName", Value: id.DeviceName},
			{Name: "productKey", Value: id.ProductKey},
		}
		list := []hpack.HeaderField{
			{Name: "x-auth-name", Value: "devicename"},
			{Name: "x-auth-param-client-id", Value: clientID},
			{Name: "x-auth-param-signmethod", Value: string(method)},
			{Name: "x-auth-param-product-key", Value: id.ProductKey},
			{Name: "x-auth-param-device-name", Value: id.DeviceName},
		}
		if stamp {
			t := strconv.FormatInt(now.UnixMilli(), 10)
			params = append(params, auth.Param{Name: "timestamp", Value: t})
			list = append(list, hpack.HeaderField{Name: "x-auth-param-timestamp", Value: t})
		}
		list = append(list, secret("x-auth-param-sign", auth.Sign(method, id.DeviceSecret, params...)))
		return append(list, sdk()...)
	}
}

// AppKey authenticates as an application: what is signed is random alone, and the
// method's header is spelled differently.
func AppKey(appKey string, appSecret auth.Secret, random func() string) Credentials {
	return func(time.Time) []hpack.HeaderField {
		r := random()
		mac := auth.HMACSHA256.New(appSecret)
		_, _ = mac.Write([]byte("random=" + r)) // cannot fail
		return append([]hpack.HeaderField{
			{Name: "x-auth-name", Value: "appkey"},
			{Name: "x-auth-param-app-key", Value: appKey},
			{Name: "x-auth-param-sign-method", Value: "SHA256"},
			{Name: "x-auth-param-random", Value: r},
			secret("x-auth-param-sign", hexOf(mac.Sum(nil))),
		}, sdk()...)
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
