package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/aliyun/pop"
)

// gatewaySettings is what the Java SDK has at the top of application.conf: who
// the bridge is at the platform, and where that is.
type gatewaySettings struct {
	ProductKey           string      `conf:"productKey" doc:"product of the gateway device that the bridge is at the platform"`
	DeviceName           string      `conf:"deviceName" doc:"name of the gateway device; default: the MAC address of the machine, such as 00:16:3e:0a:1b:2c"`
	DeviceSecret         auth.Secret `conf:"deviceSecret" doc:"secret of the gateway device"`
	HTTP2Endpoint        string      `conf:"http2Endpoint" doc:"the Java SDK's gateway service. Devices are carried over MQTT: the region in this address chooses the MQTT endpoint, unless upstream.aliyun has endpoint or region"`
	AuthEndpoint         string      `conf:"authEndpoint" doc:"the Java SDK's authentication service; likewise"`
	SubDeviceConnectMode int         `conf:"subDeviceConnectMode" doc:"the Java SDK's: 3 for a large bridge. Has no effect over MQTT: see upstream.aliyun.gateways"`
	POPClient            *popClient  `conf:"popClientProfile" doc:"access to the account's API: when deviceName and deviceSecret are not given, the gateway device is created there, or found again, under the machine's MAC address"`
}

// popClient is the section popClientProfile.
type popClient struct {
	AccessKey    string      `conf:"accessKey" doc:"access key of the caller"`
	AccessSecret auth.Secret `conf:"accessSecret" doc:"secret of the access key"`
	Name         string      `conf:"name" doc:"name of the profile"`
	Region       string      `conf:"region" doc:"region of the service"`
	Product      string      `conf:"product" doc:"name of the product"`
	Endpoint     string      `conf:"endpoint" doc:"host of the service"`
}

// SetDefaults implements config.Defaulter.
func (p *popClient) SetDefaults() { *p = popClient{Product: "Iot"} }

// missing names the keys that the Java SDK requires and that are not there.
func (p *popClient) missing() (keys []string) {
	for _, k := range []struct{ key, value string }{
		{"accessKey", p.AccessKey},
		{"accessSecret", p.AccessSecret.Reveal()},
		{"name", p.Name},
		{"region", p.Region},
		{"product", p.Product},
		{"endpoint", p.Endpoint},
	} {
		if k.value == "" {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// apply lays what the keys at the top mean below the connector's own section.
// warn is called for what is not as it was with the Java SDK.
func (g gatewaySettings) apply(a *aliyun.Config, tree *config.Tree, warn func(error)) error {
	a.ProductKey, a.DeviceName, a.DeviceSecret = g.ProductKey, g.DeviceName, g.DeviceSecret
	own := tree.Has("upstream.aliyun.productKey") || tree.Has("upstream.aliyun.gateways")
	switch {
	case g.ProductKey == "" || own:
	case g.DeviceSecret == "":
		if err := g.create(a, tree); err != nil {
			return err
		}
	case g.DeviceName == "":
		a.DeviceName = pop.MACAddress()
		if a.DeviceName == "" {
			return tree.Errorf("deviceName", "is missing, and this machine has no MAC address to take instead", "give the name of the gateway device")
		}
		warn(tree.Errorf("deviceName", "is not given: the gateway device is "+a.DeviceName+", after the machine's MAC address", ""))
	}
	if g.POPClient != nil && g.DeviceSecret != "" {
		if missing := g.POPClient.missing(); missing != nil {
			warn(tree.Errorf("popClientProfile", strings.Join(missing, ", ")+" missing", "nothing uses it while deviceSecret is given"))
		}
	}
	if g.SubDeviceConnectMode != 0 {
		warn(tree.Errorf("subDeviceConnectMode", "has no effect over MQTT",
			fmt.Sprintf("a gateway carries %d devices: for more, list several in upstream.aliyun.gateways", a.MaxDevicesPerGateway)))
	}
	g.locate(a, tree, warn)
	return nil
}

// create has the connector get the gateway device by the account's API, or says
// why that cannot be.
func (g gatewaySettings) create(a *aliyun.Config, tree *config.Tree) error {
	byProduct := tree.Has("upstream.aliyun.register.products") // the device has a name, and its product a secret
	switch {
	case g.DeviceName != "" && (byProduct || tree.Has("upstream.aliyun.pop")):
		return nil
	case g.DeviceName != "" || g.POPClient == nil && !tree.Has("upstream.aliyun.pop"):
		return tree.Errorf("deviceSecret", "is missing, so the bridge has no gateway device to be at the platform",
			"create a device of product "+g.ProductKey+" in the console, and give its deviceName and deviceSecret; or give neither, and a popClientProfile")
	}
	if a.DeviceName = pop.MACAddress(); a.DeviceName == "" {
		return tree.Errorf("deviceName", "is missing, and this machine has no MAC address to take instead", "give the name of the gateway device")
	}
	if g.POPClient != nil {
		if missing := g.POPClient.missing(); missing != nil {
			return tree.Errorf("popClientProfile", strings.Join(missing, ", ")+" missing, so the gateway device cannot be created", "give them, or deviceName and deviceSecret of a device that there is")
		}
		a.POP.AccessKey, a.POP.AccessSecret = g.POPClient.AccessKey, g.POPClient.AccessSecret
		a.POP.Region, a.POP.Endpoint = g.POPClient.Region, g.POPClient.Endpoint
	}
	return nil
}

// place is where the platform is, as an address of one of its services tells:
// a region of the shared instance, or the host of one's own.
type place struct{ region, host string }

// locate finds the MQTT endpoint that belongs to the Java SDK's endpoints.
func (g gatewaySettings) locate(a *aliyun.Config, tree *config.Tree, warn func(error)) {
	if tree.Has("upstream.aliyun.endpoint") || tree.Has("upstream.aliyun.region") {
		return
	}
	var found place
	for _, e := range []struct{ key, text string }{{"http2Endpoint", g.HTTP2Endpoint}, {"authEndpoint", g.AuthEndpoint}} {
		if e.text == "" {
			continue
		}
		at := placeOf(e.text)
		switch {
		case at == place{}:
			warn(tree.Errorf(e.key, fmt.Sprintf("%q tells no region: devices are carried over MQTT, and its address is not known", e.text),
				`give it as upstream.aliyun.endpoint = "ssl://host:1883"`))
		case found == place{}:
			found = at
		case found != at:
			warn(tree.Errorf(e.key, "is of another region or instance than http2Endpoint, which counts", ""))
		}
	}
	if found == (place{}) && g.POPClient != nil {
		found.region = g.POPClient.Region
	}
	host := found.host
	switch {
	case found == place{}:
		return
	case host == "":
		a.Region = found.region
		host = a.ProductKey + ".iot-as-mqtt." + found.region + ".aliyuncs.com"
	}
	a.Endpoint = "ssl://" + host + ":1883" // what the SDK did was encrypted
}

// placeOf reads the hosts of the platform's services:
//
//	ANY.iot-as-http2.REGION.aliyuncs.com, iot-auth.REGION.aliyuncs.com      shared
//	INSTANCE.http2.iothub.aliyuncs.com, INSTANCE.auth.iothub.aliyuncs.com   one's own
func placeOf(endpoint string) place {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return place{}
	}
	host, found := strings.CutSuffix(strings.ToLower(u.Hostname()), ".aliyuncs.com")
	if !found {
		return place{}
	}
	labels := strings.Split(host, ".")
	switch n := len(labels); {
	case n == 3 && labels[1] == "iot-as-http2":
		return place{region: labels[2]}
	case n == 2 && labels[0] == "iot-auth":
		return place{region: labels[1]}
	case n == 3 && labels[2] == "iothub" && (labels[1] == "http2" || labels[1] == "auth"):
		return place{host: labels[0] + ".mqtt.iothub.aliyuncs.com"}
	default:
		return place{}
	}
}
