package auth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

// The known answers: the MQTT one is printed in the developer guide (6.1), the
// device-name one in a later edition; the others were computed from the
// published inputs with an independent implementation.
func TestSign(t *testing.T) {
	t.Parallel()
	mqtt := []auth.Param{{"productKey", "pk"}, {"timestamp", "789"}, {"clientId", "12345"}, {"deviceName", "device"}}
	login := []auth.Param{{"clientId", "123"}, {"deviceName", "test"}, {"productKey", "123"}, {"timestamp", "123"}}
	topology := []auth.Param{{"clientId", "123"}, {"deviceName", "test"}, {"productKey", "123"}, {"timestamp", "1524448722000"}}
	register := []auth.Param{{"deviceName", "deviceName1234"}, {"productKey", "1234556554"}, {"random", "123"}}
	for _, c := range []struct {
		name   string
		method auth.SignMethod
		key    auth.Secret
		params []auth.Param
		want   string
	}{
		{"mqtt connect sha1", auth.HMACSHA1, "secret", mqtt, "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"},
		{"mqtt connect md5", auth.HMACMD5, "secret", mqtt, "14B198324FE55E1D3C88F2E705E201EE"},
		{"mqtt connect sha256", auth.HMACSHA256, "secret", mqtt, "6074A46A91B1EBB2CC4EA42790AD0E80202C9843859FC292E57C4EB19FAD9E57"},
		{"device name without timestamp", auth.HMACMD5, "iWACqPLq90zRsiEhMSdPWHV8gaRAJ78O", []auth.Param{
			{"productKey", "a1mxL3s6Z7m"}, {"deviceName", "866714043075174"}, {"clientId", "866714043075174"},
		}, "161d9143f5a4ea3f9ab60614583fd1d7"},
		{"login md5", auth.HMACMD5, "secret", login, "7f9c0941a986fe6d3ad883eda7efda9c"},
		{"login sha1", auth.HMACSHA1, "secret", login, "17b3ca175a2c737c69be476e761ea62b2356e100"},
		{"login sha256", auth.HMACSHA256, "secret", login, "f0a12a0784236f598657c2ec54f03a3c0497e3a3728316c008b971746a2d27f0"},
		{"topology md5", auth.HMACMD5, "secret", topology, "9797f243469d652b2981c6af7c9623a4"},
		{"topology sha1", auth.HMACSHA1, "secret", topology, "7b1cbbc8393867c4718c2a48265c70a1221b432b"},
		{"topology sha256", auth.HMACSHA256, "secret", topology, "fa5864972916a7e18aa5c4f28d77d91680e1bb160fb0af60f692a60934e52bd3"},
		{"register md5", auth.HMACMD5, "secret", register, "aabadce3c1b83b134b2a22526cd11aca"},
		{"register sha1", auth.HMACSHA1, "secret", register, "db5fd72274ac137ee5ae788c88fb2897249569e4"},
		{"register sha256", auth.HMACSHA256, "secret", register, "3225d2ae160111ceee3656cb3558ef3504ae096611fd8159570db9cc1f49c148"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := auth.Sign(c.method, c.key, c.params...)
			if !strings.EqualFold(got, c.want) {
				t.Errorf("Sign(%s) = %s, want %s", auth.SignContent(c.params...), got, c.want)
			}
			if got != strings.ToLower(got) {
				t.Errorf("Sign = %s, want lower case", got)
			}
			if !auth.Verify(c.method, c.key, c.want, c.params...) {
				t.Error("Verify does not know the published signature")
			}
			if auth.Verify(c.method, c.key+"x", c.want, c.params...) {
				t.Error("Verify accepts another key")
			}
		})
	}
}

// The guide's sample signs cleanSession; the platform does not.
func TestSignLoginWithoutCleanSession(t *testing.T) {
	t.Parallel()
	sample := auth.Sign(auth.HMACMD5, "secret",
		auth.Param{"cleanSession", "true"}, auth.Param{"clientId", "123"}, auth.Param{"deviceName", "test"},
		auth.Param{"productKey", "123"}, auth.Param{"timestamp", "123"})
	if sample != "6f683c4b436665f82e8b645d928c45a2" {
		t.Errorf("the sample's signature = %s", sample)
	}
}

func TestParseSignMethod(t *testing.T) {
	t.Parallel()
	for _, m := range auth.SignMethods() {
		got, err := auth.ParseSignMethod(strings.ToUpper(string(m)))
		if err != nil || got != m {
			t.Errorf("ParseSignMethod(%s) = %v, %v", strings.ToUpper(string(m)), got, err)
		}
	}
	if m, err := auth.ParseSignMethod("rot13"); err == nil {
		t.Errorf("ParseSignMethod(rot13) = %v, want an error", m)
	}
}

func TestVerifyRefusesWhatIsNoHexadecimal(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{"", "xyz", "7f9c0941a986fe6d3ad883eda7efda9", "7f9c"} {
		if auth.Verify(auth.HMACMD5, "secret", sign, auth.Param{"clientId", "123"}) {
			t.Errorf("Verify accepts %q", sign)
		}
	}
}

func ExampleSign() {
	fmt.Println(auth.Sign(auth.HMACSHA1, "secret",
		auth.Param{Name: "clientId", Value: "12345"},
		auth.Param{Name: "deviceName", Value: "device"},
		auth.Param{Name: "productKey", Value: "pk"},
		auth.Param{Name: "timestamp", Value: "789"}))
	// Output: fafd82a3d602b37fb0fa8b7892f24a477f851a14
}
