package cli

import (
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// derive says which settings of the connector come from the keys at the top of
// the configuration. before has its settings without these.
func derive(tree *config.Tree, before, a aliyun.Config) {
	at := "popClientProfile.region"
	for _, key := range []string{"authEndpoint", "http2Endpoint"} { // the latter counts
		if placeOf(tree.Text(key)) != (place{}) {
			at = key
		}
	}
	for _, d := range []struct {
		key, from string
		is        bool
	}{
		{"productKey", "productKey", a.ProductKey != before.ProductKey},
		{"deviceName", "deviceName", a.DeviceName != before.DeviceName && tree.Text("deviceName") != ""},
		{"deviceSecret", "deviceSecret", a.DeviceSecret != before.DeviceSecret},
		{"region", at, a.Region != before.Region},
		{"endpoint", at, a.Endpoint != before.Endpoint},
		{"pop.accessKey", "popClientProfile.accessKey", a.POP.AccessKey != before.POP.AccessKey},
		{"pop.accessSecret", "popClientProfile.accessSecret", a.POP.AccessSecret != before.POP.AccessSecret},
		{"pop.region", "popClientProfile.region", a.POP.Region != before.POP.Region},
		{"pop.endpoint", "popClientProfile.endpoint", a.POP.Endpoint != before.POP.Endpoint},
	} {
		if d.is {
			tree.Derived("upstream.aliyun."+d.key, d.from)
		}
	}
}
