//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	gatewayProduct = "gatewayPk"
	gateway        = "gateway-1"
	gatewaySecret  = "s3cret-of-the-gateway"
	truckProduct   = "truckPk"
	truck          = "truck-1"
	truckSecret    = "s3cret-of-the-truck"
)

// cloud is a platform in a process of its own.
type cloud struct {
	t *testing.T
	*process
	mqttPort, base string // base of the API
}

// newCloud starts a strict platform that knows a gateway and a truck.
func newCloud(t *testing.T) *cloud {
	t.Helper()
	mqtt, port := free(t)
	api, _ := free(t)
	c := &cloud{t: t, mqttPort: port, base: "http://" + api + "/api/v1"}
	c.process = start(t, linkspan, "platform", "--mqtt", mqtt, "--api", api, "--strict",
		"--gateway", gatewayProduct+"/"+gateway+":"+gatewaySecret)
	c.says("local platform")
	c.post("/devices", map[string]any{
		"productKey": truckProduct, "deviceName": truck, "deviceSecret": truckSecret, "gateway": gatewayProduct + "/" + gateway,
	})
	return c
}

// get asks the API with curl.
func (c *cloud) get(path string) map[string]any {
	c.t.Helper()
	return object(c.t, ok(c.t, "", "curl", "-sS", "--fail-with-body", c.base+path))
}

// post tells the API something with curl.
func (c *cloud) post(path string, body any) {
	c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	object(c.t, ok(c.t, string(text), "curl", "-sS", "--fail-with-body", "-H", "Content-Type: application/json", "--data-binary", "@-", c.base+path))
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// dig is the value at a path of keys; nil when there is none.
func dig(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// credentials of a device with its own connection, as the vendor's page on MQTT
// connections tells: a text signed by openssl.
func credentials(t *testing.T, method, product, device, secret string, more ...string) (clientID, user, password string) {
	t.Helper()
	content := "clientId" + device + "deviceName" + device + "productKey" + product + "timestamp1700000000000"
	extra := strings.Join(append([]string{"securemode=3", "signmethod=" + method, "timestamp=1700000000000"}, more...), ",")
	return device + "|" + extra + "|", device + "&" + product, sign(t, method, secret, content)
}

// TestDeviceByHand connects mosquitto_pub and mosquitto_sub as a device, with
// each of the vendor's methods of signing.
func TestDeviceByHand(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	topic := "/sys/" + truckProduct + "/" + truck + "/thing/event/property/post"
	for i, method := range []string{"hmacmd5", "hmacsha1", "hmacsha256"} {
		id, user, password := credentials(t, method, truckProduct, truck, truckSecret)
		ok(t, "", "mosquitto_pub", "-h", "127.0.0.1", "-p", c.mqttPort, "-V", "mqttv311", "-i", id, "-u", user, "-P", password, "-q", "1", "-t", topic,
			"-m", fmt.Sprintf(`{"id":"%d","version":"1.0","params":{"%s":%d},"method":"thing.event.property.post"}`, i, method, i))
		if got := dig(c.get("/devices/"+truckProduct+"/"+truck), "properties", method, "value"); got != float64(i) {
			t.Errorf("%s: the platform has %v", method, got)
		}
	}

	id, user, _ := credentials(t, "hmacsha256", truckProduct, truck, truckSecret)
	o := run(t, "", "mosquitto_pub", "-h", "127.0.0.1", "-p", c.mqttPort, "-V", "mqttv311", "-i", id, "-u", user, "-P", sign(t, "hmacsha256", "guess", "x"), "-q", "1", "-t", topic, "-m", "{}")
	if o.status != 4 { // CONNACK 4, bad user name or password (MQTT 3.1.1, table 3.1)
		t.Errorf("a wrong password ends with status %d: %s", o.status, o.err)
	}

	id, user, password := credentials(t, "hmacsha256", truckProduct, truck, truckSecret)
	sub := start(t, "mosquitto_sub", "-h", "127.0.0.1", "-p", c.mqttPort, "-V", "mqttv311", "-i", id, "-u", user, "-P", password, "-q", "1", "-d",
		"-C", "1", "-t", "/sys/"+truckProduct+"/"+truck+"/thing/service/property/set")
	sub.says("SUBACK")
	c.post("/devices/"+truckProduct+"/"+truck+"/properties?wait=0", map[string]any{"fan": 2})
	told := object(t, sub.says(`"method"`))
	if dig(told, "params", "fan") != 2.0 || told["method"] != "thing.service.property.set" || told["version"] != "1.0" {
		t.Errorf("the device is told %v", told)
	}
}

// TestLoginByHand logs a sub-device in with mosquitto_rr, with a right signature
// and with a wrong one.
func TestLoginByHand(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	id, user, password := credentials(t, "hmacsha1", gatewayProduct, gateway, gatewaySecret)
	session := "/ext/session/" + gatewayProduct + "/" + gateway + "/combine/"
	login := func(signature string) map[string]any {
		return object(t, ok(t, "", "mosquitto_rr", "-h", "127.0.0.1", "-p", c.mqttPort, "-V", "mqttv311", "-i", id, "-u", user, "-P", password, "-W", "20",
			"-t", session+"login", "-e", session+"login_reply", "-m", loginRequest(signature)))
	}
	if r := login(truckSignature(t)); r["code"] != 200.0 || r["id"] != "7" {
		t.Errorf("a right login is answered with %v", r)
	}
	if r := login(sign(t, "hmacsha256", "guess", "x")); r["code"] != 6287.0 {
		t.Errorf("a wrong login is answered with %v", r)
	}
}

func truckSignature(t *testing.T) string {
	t.Helper()
	return sign(t, "hmacsha256", truckSecret, "clientId"+truck+"deviceName"+truck+"productKey"+truckProduct+"timestamp1700000000000")
}

func loginRequest(signature string) string {
	return fmt.Sprintf(`{"id":"7","params":{"productKey":%q,"deviceName":%q,"clientId":%q,"timestamp":"1700000000000","signMethod":"hmacSha256","sign":%q,"cleanSession":"true"}}`,
		truckProduct, truck, truck, signature)
}

// TestGatewayByHand makes a gateway of a mosquitto broker: its bridge holds the
// one connection to the platform, and mosquitto's clients log a sub-device in
// through it, post a property, and obey a command.
func TestGatewayByHand(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	broker := newBroker(t, c)

	session := "/ext/session/" + gatewayProduct + "/" + gateway + "/combine/"
	replies := broker.listen(session + "login_reply")
	broker.say(session+"login", loginRequest(truckSignature(t)))
	if r := object(t, replies.says(`"code"`)); r["code"] != 200.0 {
		t.Fatalf("the login is answered with %v", r)
	}
	device := "/devices/" + truckProduct + "/" + truck
	if d := c.get(device); d["online"] != true || d["gateway"] != gatewayProduct+"/"+gateway {
		t.Errorf("the platform has %v", d)
	}

	sys := "/sys/" + truckProduct + "/" + truck + "/thing/"
	posted := broker.listen(sys + "event/property/post_reply")
	broker.say(sys+"event/property/post", `{"id":"8","version":"1.0","params":{"speed":60.5},"method":"thing.event.property.post"}`)
	if r := object(t, posted.says(`"code"`)); r["code"] != 200.0 || r["id"] != "8" {
		t.Errorf("the post is answered with %v", r)
	}
	if got := dig(c.get(device), "properties", "speed", "value"); got != 60.5 {
		t.Errorf("the platform has speed %v", got)
	}

	orders := broker.listen(sys + "service/property/set")
	done := make(chan string, 1)
	go func() { // ends with curl
		done <- run(t, `{"fan":2}`, "curl", "-sS", "-H", "Content-Type: application/json", "--data-binary", "@-", c.base+device+"/properties?wait=20s").out
	}()
	order := object(t, orders.says(`"params"`))
	if dig(order, "params", "fan") != 2.0 {
		t.Errorf("the sub-device is told %v", order)
	}
	broker.say(sys+"service/property/set_reply", fmt.Sprintf(`{"id":%q,"code":200,"data":{}}`, order["id"]))
	if r := object(t, <-done); r["state"] != "done" || r["code"] != 200.0 {
		t.Errorf("the command ends with %v", r)
	}
}

// broker is a mosquitto that is bridged to the platform.
type broker struct {
	t    *testing.T
	port string
}

func newBroker(t *testing.T, c *cloud) *broker {
	t.Helper()
	_, port := free(t)
	id, user, password := credentials(t, "hmacsha256", gatewayProduct, gateway, gatewaySecret, "_ss=1") // system topics without subscriptions
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf(`listener %s 127.0.0.1
allow_anonymous true
log_dest stdout
log_type all
connection platform
address 127.0.0.1:%s
bridge_protocol_version mqttv311
bridge_attempt_unsubscribe false
try_private false
notifications false
cleansession true
keepalive_interval 60
remote_clientid %s
remote_username %s
remote_password %s
topic # out 0 /ext/session/%[6]s/%[7]s/ /ext/session/%[6]s/%[7]s/
topic # out 1 /sys/%[8]s/ /sys/%[8]s/
topic combine/login_reply in 1 /ext/session/%[6]s/%[7]s/ /ext/session/%[6]s/%[7]s/
topic # in 1 /sys/%[8]s/%[9]s/ /sys/%[8]s/%[9]s/
`, port, c.mqttPort, id, user, password, gatewayProduct, gateway, truckProduct, truck)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, port: port}
	start(t, "mosquitto", "-c", conf)
	await(t, "the gateway to be online", func() bool { return c.get("/devices/" + gatewayProduct + "/" + gateway)["online"] == true })
	return b
}

// say publishes through the gateway.
func (b *broker) say(topic, payload string) {
	b.t.Helper()
	ok(b.t, "", "mosquitto_pub", "-h", "127.0.0.1", "-p", b.port, "-q", "1", "-t", topic, "-m", payload)
}

// listen hears what the platform tells the gateway under a topic.
func (b *broker) listen(topic string) *process {
	b.t.Helper()
	sub := start(b.t, "mosquitto_sub", "-h", "127.0.0.1", "-p", b.port, "-q", "1", "-d", "-t", topic)
	sub.says("SUBACK")
	return sub
}
