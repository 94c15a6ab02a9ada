// Package certify gets what a device needs to prove itself at the Alibaba Cloud
// IoT Platform: an iotToken for a device that has its secret, and a secret for one
// that has only the certificate of its product (unique certificate per product).
//
// [Client] asks the platform's HTTPS service (developer guide, chapters 6.7, 9 and
// 11.2); [RegisterMQTT] does over MQTT what [Client.Register] does over HTTPS. A
// [Store] keeps secrets on disk, for the platform gives them out but once, and a
// [Registrar] puts these together: it gives the secret that is known, or registers
// the device and keeps what it got.
//
//	c, err := certify.New(certify.Config{Endpoint: "https://iot-auth.cn-shanghai.aliyuncs.com"})
//	token, err := c.Authenticate(ctx, meter, clientID)
//	secret, err := c.Register(ctx, certify.Product{Key: pk, Secret: productSecret}, "meter-1")
//
// What the platform refuses is an [upstream.RefusedError] with the platform's code.
package certify
