//go:build interop

package interop

import (
	"fmt"
	"testing"
	"time"
)

// TestGatewayToABrokerOfOthers has mosquitto take the gateway's connection, and
// mosquitto's clients be the platform: mosquitto_pub answers the login, mosquitto_sub
// hears the reports, and mosquitto_pub commands the terminal, whose reply
// mosquitto_sub hears.
func TestGatewayToABrokerOfOthers(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	sessions := m.hear("-t", "/ext/session/#")
	devices := m.hear("-t", "/sys/#")
	n, listen, admin := bridgeWith(t, fmt.Sprintf(`
upstream { type = aliyun, aliyun { endpoint = "tcp://127.0.0.1:%s", productKey = gatewayPk, deviceName = gateway-1, deviceSecret = s3cret, batchLogin = 1 } }
`, m.port))
	sim := terminals(t, listen, 1, 15*time.Second)

	const login, sys = "/ext/session/gatewayPk/gateway-1/combine/login", "/sys/demo/13800138001/thing/"
	asked := payload(t, sessions.says(login+" {"), login)
	if dig(asked, "params", "productKey") != "demo" || dig(asked, "params", "deviceName") != "13800138001" || dig(asked, "params", "sign") == nil {
		t.Errorf("the login is %v", asked)
	}
	say := func(topic, text string) { ok(t, "", "mosquitto_pub", m.client("-t", topic, "-m", text)...) }
	say(login+"_reply", fmt.Sprintf(`{"id":%q,"code":200,"message":"success"}`, asked["id"]))

	report := payload(t, devices.says(sys+"event/property/post {"), sys+"event/property/post")
	if report["method"] != "thing.event.property.post" || report["params"] == nil {
		t.Errorf("report %v", report)
	}
	say(sys+"service/queryLocation", `{"id":"q-1","version":"1.0","method":"thing.service.queryLocation","params":{}}`)
	reply := payload(t, devices.says(sys+"service/queryLocation_reply {"), sys+"service/queryLocation_reply")
	if reply["code"] != 200.0 || reply["id"] != "q-1" || dig(reply, "data", "latitude") == nil {
		t.Errorf("queryLocation is answered with %v", reply)
	}
	if got := metricOf(t, admin, "linkspan_aliyun_commands_total"); got != 1 {
		t.Errorf("%v commands", got)
	}
	say("/ext/session/gatewayPk/gateway-1/combine/logout_reply", `{"id":"1","code":522,"message":"device forbidden","data":{"productKey":"demo","deviceName":"13800138001"}}`)
	await(t, "the loss of the device", func() bool {
		return metricOf(t, admin, "linkspan_aliyun_devices_online") == 0
	})
	sim.stop() // or it logs in again, which nobody answers
	if status := n.stop(); status != 0 {
		t.Errorf("SIGTERM ends the bridge with status %d", status)
	}
}
