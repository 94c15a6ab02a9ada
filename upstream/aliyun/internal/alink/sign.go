package alink

import "github.com/linkspan/linkspan/auth"

// Sign signs what identifies a device: its names, a client identifier
// and a time. cleanSession, which logins carry too, is not signed, whatever the
// guide's sample says.
func Sign(method auth.SignMethod, id auth.Identity, clientID, timestamp string) string {
	return auth.Sign(method, id.DeviceSecret,
		auth.Param{Name: "clientId", Value: clientID},
		auth.Param{Name: "deviceName", Value: id.DeviceName},
		auth.Param{Name: "productKey", Value: id.ProductKey},
		auth.Param{Name: "timestamp", Value: timestamp})
}
