//go:build interop

package interop

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJavaBridge runs linkspan with the application.conf of a bridge that was made
// with the Java SDK, and a key store that keytool has made; openssl connects as a
// device.
func TestJavaBridge(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	for _, kind := range []string{"jks", "PKCS12"} {
		t.Run(kind, func(t *testing.T) { // one after the other: they are one gateway
			dir := t.TempDir()
			store := filepath.Join(dir, "bridge.keystore")
			ok(t, "", "keytool", "-genkeypair", "-alias", "bridge", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", "-dname", "CN=bridge.example",
				"-keystore", store, "-storetype", kind, "-storepass", "changeit", "-keypass", "changeit")
			first, firstPort := free(t)
			second, secondPort := free(t)
			admin, _ := free(t)
			conf := filepath.Join(dir, "application.conf")
			for name, text := range map[string]string{
				conf: fmt.Sprintf(`
// made for the Java SDK
productKey = %s
deviceName = %s
deviceSecret = "%s"
http2Endpoint = "https://%s.iot-as-http2.cn-shanghai.aliyuncs.com:443"
authEndpoint = "https://iot-auth.cn-shanghai.aliyuncs.com/auth/bridge"
popClientProfile = { accessKey = key, accessSecret = secret, name = cn-shanghai, region = cn-shanghai, endpoint = iot.cn-shanghai.aliyuncs.com }
socketServer {
  address = lo
  backlog = 128
  ports = [%s, %s]
  listenType = TCP
  unsecured = false
  keyPassword = "changeit"
  keyStoreFile = "bridge.keystore"
  keyStoreType = "%s"
}
`, gatewayProduct, gateway, gatewaySecret, gatewayProduct, firstPort, secondPort, kind),
				filepath.Join(dir, "devices.conf"): fmt.Sprintf("13800138001 // a truck\n{\n\"productKey\": %q,\n\"deviceName\": %q,\n\"deviceSecret\": %q\n}\n", truckProduct, truck, truckSecret),
			} {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if o := run(t, "", linkspan, "config", "check", "-c", conf); o.status != 0 || o.out != "ok\n" {
				t.Fatalf("config check: %s%s", o.out, o.err)
			}
			// The platform is here and not where the file says it is.
			n := start(t, linkspan, "serve", "-c", conf, "-D", "upstream.aliyun.endpoint=tcp://127.0.0.1:"+c.mqttPort, "-D", "admin.address="+admin, "-D", "log.level=debug")
			n.says("linkspan is ready")
			frame, err := hex.DecodeString(heartbeat)
			if err != nil {
				t.Fatal(err)
			}
			for _, address := range []string{first, second} {
				o := run(t, string(frame), "openssl", "s_client", "-connect", address, "-no_ign_eof", "-brief")
				if said := o.out + o.err; !strings.Contains(said, "bridge.example") || !strings.Contains(said, "TLSv1.3") {
					t.Errorf("openssl says %s", said)
				}
			}
			for _, name := range []string{"socketServer-" + firstPort, "socketServer-" + secondPort} {
				await(t, "a message on "+name, func() bool {
					return parseMetricOf(ok(t, "", "curl", "-sS", "http://"+admin+"/metrics"), `linkspan_server_received_messages_total{listener="`+name+`",protocol="jt808"}`) == "1"
				})
			}
			if status := n.stop(); status != 0 {
				t.Errorf("SIGTERM ends the bridge with status %d", status)
			}
		})
	}
}

// parseMetricOf is the value of one series.
func parseMetricOf(text, series string) string {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), series+" "); found {
			return value
		}
	}
	return ""
}
