// Package platform is a local platform that speaks the vendor's language: an
// MQTT broker, the Alink protocol with gateways and sub-devices, and the things
// behind it. It stands in for the Alibaba Cloud IoT Platform in demos, tests and
// laboratories, and is stricter than that where strictness finds mistakes: it
// shares no code with the connectors, checks every signature itself, lets
// nobody near topics that are not its own, and counts every refusal by cause.
//
//	p, err := platform.New(platform.DefaultConfig())
//	err = p.Start(ctx)
//	defer p.Close(ctx)
//	fmt.Println(p.MQTTAddr(), p.APIAddr())
//
// # Devices
//
// A device connects with the vendor's credentials (securemode=3, TCP) or is
// logged in by a gateway that has it in its topology. One certificate has one
// session: a newer one ends the older. Sub-devices go offline with their
// gateway. Everything a device may publish or subscribe to carries its name, or
// that of a sub-device with a session through it; for others a gateway gets code
// 520 under /ext/error/{pk}/{dn}, and a topic that nobody may use ends the
// connection. The platform keeps the last value of each property, the last
// events, counters and times of a device. Nothing survives its end, unless Config.Data
// names a file that keeps it.
//
// Replies and commands reach clients that subscribed to their topics, or that
// ask for it with _ss=1 in their clientId. A command to a client that did not
// subscribe fails at once and says so.
//
// # The vendor's HTTP services
//
// With an authAddress there are /auth/devicename, which gives a token to connect
// to MQTT with, /auth/register/device, which gives devices of Products a secret, as
// a CONNECT with authType=register over TLS does, and at / the account's API with
// RegisterDevice and QueryDeviceDetail, for AccessKeys.
//
// # HTTP API
//
// The API listens on the loopback and knows no passwords. Package platform/api
// has its documents as Go types, and a client. Times are RFC 3339.
//
//	GET    /api/v1/devices[?online=true|false][&offset=0][&limit=100]   api.Page
//	POST   /api/v1/devices                       {"productKey","deviceName","deviceSecret"[,"gateway":"pk/dn"]}
//	GET    /api/v1/devices/{pk}/{dn}             api.Device with properties, events, tags, topology
//	DELETE /api/v1/devices/{pk}/{dn}             ends its session; logins get 521
//	POST   /api/v1/devices/{pk}/{dn}/disable     ends its session; logins get 522
//	POST   /api/v1/devices/{pk}/{dn}/enable
//	POST   /api/v1/devices/{pk}/{dn}/kick        ends its session
//	POST   /api/v1/devices/{pk}/{dn}/properties[?wait=5s]       {"name":value,...}   api.Result
//	POST   /api/v1/devices/{pk}/{dn}/properties/get[?wait=5s]   ["name",...]         api.Result
//	POST   /api/v1/devices/{pk}/{dn}/services/{name}[?wait=5s]  {"input":value,...}  api.Result
//	POST   /api/v1/devices/{pk}/{dn}/services/{name}/sync[?wait=5s]  {"input":value,...}  api.Result, by RRPC, within 8s
//	POST   /api/v1/devices/{pk}/{dn}/topology/notify            ["pk/dn",...]        api.Result; the device is a gateway
//	POST   /api/v1/devices/{pk}/{dn}/raw[?wait=5s]              {"hex":"01a2"}       api.Result
//	POST   /api/v1/devices/{pk}/{dn}/rrpc[?wait=5s]             the body as it is      api.Result, within 8s
//	POST   /api/v1/devices/{pk}/{dn}/publish                    {"topic","payload" or "text"}  api.Result
//	GET    /api/v1/devices/{pk}/{dn}/shadow
//	POST   /api/v1/devices/{pk}/{dn}/shadow                     {"name":value,...}     what is desired
//	GET    /api/v1/watch[?productKey=][&deviceName=][&kind=property,event,...]
//	GET    /api/v1/stats                         api.Stats
//	GET    /api/v1/log                           the last notable api.Messages
//	GET    /api/v1/faults                        api.Faults
//	POST   /api/v1/faults                        {"refuseLogins":{"count":3,"code":429}}, {"silent":true}, {"disconnect":"all"}, ...
//	DELETE /api/v1/faults                        behave again
//	GET    /api/v1/faults/rules                  every api.Fault that was added
//	POST   /api/v1/faults/rules                  {"action":"refuse","method":"combine.login","code":429,"count":3}, ...  api.Fault
//	DELETE /api/v1/faults/rules/{id}             api.Fault
//
// wait is how long a command waits for its reply (60s at most); wait=0 only
// sends it. A command that could be tried is answered with 200 and a state,
// whatever became of it.
//
// A watch is a stream of api.Message, one JSON document per line, or server-sent
// events when the request accepts text/event-stream. A watcher that reads too
// slowly misses messages and is told how many by one of kind "lagged"; one that
// does not read for ten seconds is dropped.
//
// Errors have a status of 4xx or 5xx and {"error":{"code","message","hint"}}.
package platform
