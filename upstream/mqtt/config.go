package mqtt

import (
	"time"

	"github.com/linkspan/linkspan/auth"
)

// Config is how the broker is reached, and what is said under which topics.
// Begin with [DefaultConfig].
type Config struct {
	Endpoint []string `conf:"endpoint" doc:"tcp://, ssl://, ws:// or wss://host:port of the broker; several are tried in their order"`
	TLS      TLS      `conf:"tls" doc:"of ssl:// and wss://"`

	Connections  string      `conf:"connections" doc:"shared: one connection for all devices; pool: poolSize connections, devices being spread over them; device: one for each device"`
	PoolSize     int         `conf:"poolSize" doc:"connections of a pool"`
	MaxDevices   int         `conf:"maxDevices" doc:"devices online at the same time; 0: 1000000, or 5000 with a connection for each"`
	ClientID     string      `conf:"clientId" doc:"client identifier; placeholders ${host}, of a pool ${n}, with a connection for each device ${productKey} ${deviceName}; default: linkspan-${host}, linkspan-${host}-${n}, ${productKey}.${deviceName}"`
	Username     string      `conf:"username" doc:"user name; placeholders as in clientId"`
	Password     auth.Secret `conf:"password" doc:"password; placeholders as in clientId, and with a connection for each device ${deviceSecret}"`
	CleanSession bool        `conf:"cleanSession" doc:"whether the broker forgets subscriptions, and commands of QoS 1, while linkspan or the device is away"`

	QoS       int       `conf:"qos" doc:"MQTT quality of service of messages that name none, and of subscriptions: 0 or 1"`
	Retain    bool      `conf:"retain" doc:"whether the broker keeps the last property message of each device for later subscribers"`
	Payload   string    `conf:"payload" doc:"thing: the JSON of the page on MQTT brokers; raw: bytes as devices send them, and nothing else; template: texts of your own"`
	Templates Templates `conf:"templates" doc:"payloads, if payload = template; JSON with placeholders"`
	Topics    Topics    `conf:"topics" doc:"topics, with placeholders; an empty one: there is no such message"`
	Subscribe string    `conf:"subscribe" doc:"device: subscribe each device's topics when it logs in; wildcard: one subscription for the topics of all devices"`

	KeepAlive      time.Duration `conf:"keepAlive" doc:"MQTT keep-alive, 1s to 65535s; a silent connection is lost after it and requestTimeout"`
	LoginRate      float64       `conf:"loginRate" doc:"logins per second, on the average; with a connection for each device: connections"`
	RequestTimeout time.Duration `conf:"requestTimeout" doc:"how long the broker may take to acknowledge a message, a subscription or a ping, and a login to find it"`
	HoldTimeout    time.Duration `conf:"holdTimeout" doc:"how long a message waits to be sent, or sent again, before it fails"`
	InFlight       int           `conf:"inFlight" doc:"messages of QoS 1 of one connection that are sent and not yet acknowledged"`
	Queue          int           `conf:"queue" doc:"messages of one connection waiting or in flight; more are refused"`
	QueueBytes     int64         `conf:"queueBytes,bytes" doc:"payload of the messages of one connection waiting or in flight; more are refused"`
	MaxPayload     int           `conf:"maxPayload,bytes" doc:"largest payload, up and down; brokers end connections over larger ones"`
	ConnectTimeout time.Duration `conf:"connectTimeout" doc:"how long connecting may take, of one endpoint"`
	ReconnectMin   time.Duration `conf:"reconnectMin" doc:"first pause before reconnecting; doubled each time, with jitter"`
	ReconnectMax   time.Duration `conf:"reconnectMax" doc:"longest pause before reconnecting"`
	WriteTimeout   time.Duration `conf:"writeTimeout" doc:"a connection that takes no bytes for so long is lost"`
}

// TLS is who is trusted, and who linkspan is.
type TLS struct {
	CA          string `conf:"ca" doc:"PEM file of the authorities that may sign the broker's certificate; default: the system's"`
	Certificate string `conf:"certificate" doc:"PEM file of linkspan's own certificate and those that lead to its authority; read again for each connection; placeholders as in clientId, so that each device has its own"`
	Key         string `conf:"key" doc:"PEM file of the key of the certificate, not encrypted; placeholders likewise"`
	ServerName  string `conf:"serverName" doc:"name in the broker's certificate; default: the host of the endpoint"`
}

// Topics are the topics of a device, and of linkspan.
type Topics struct {
	Up       UpTopics   `conf:"up" doc:"what devices say"`
	Down     DownTopics `conf:"down" doc:"what devices are told"`
	Presence string     `conf:"presence" doc:"whether a device is online, retained; placeholders ${productKey} ${deviceName}"`
	Bridge   string     `conf:"bridge" doc:"whether linkspan's own connection is up, retained, and its last will; placeholder ${clientId}; not with a connection for each device"`
}

// UpTopics are what devices say, with the placeholders ${productKey},
// ${deviceName} and ${kind}: property, event, raw, reply or publication.
type UpTopics struct {
	Property    string `conf:"property" doc:"properties; placeholders ${productKey} ${deviceName} ${kind}"`
	Event       string `conf:"event" doc:"events; also ${name}"`
	Raw         string `conf:"raw" doc:"bytes of the device that nobody here understands"`
	Reply       string `conf:"reply" doc:"how commands ended; also ${name} and ${id} of the command"`
	Publication string `conf:"publication" doc:"messages that an integrator publishes under a topic of their own, which is ${topic}"`
}

// DownTopics are what devices are told.
type DownTopics struct {
	Command   string   `conf:"command" doc:"commands; placeholders ${productKey} ${deviceName}, and ${kind} ${name} ${id}, which then need not be in the payload"`
	Raw       string   `conf:"raw" doc:"bytes for the device as they are; placeholders ${productKey} ${deviceName} ${id}"`
	Notice    []string `conf:"notice" doc:"topics whose messages reach integrators as they are; placeholders ${productKey} ${deviceName}, wildcards + and #"`
	Broadcast []string `conf:"broadcast" doc:"filters whose messages name no device; not with a connection for each device"`
}

// Templates are payloads of one's own: JSON with ${placeholders}, which stand for
// a value outside of quotes, and for its text inside of them.
type Templates struct {
	Property string `conf:"property" doc:"of properties; default: thing JSON"`
	Event    string `conf:"event" doc:"of events; default: thing JSON"`
	Raw      string `conf:"raw" doc:"of raw data, whose bytes in base64 are ${raw}; default: the bytes"`
	Reply    string `conf:"reply" doc:"of replies; default: thing JSON"`
}

// The values of connections, payload and subscribe.
const (
	ConnectionsShared = "shared"
	ConnectionsPool   = "pool"
	ConnectionsDevice = "device"

	PayloadThing    = "thing"
	PayloadRaw      = "raw"
	PayloadTemplate = "template"

	SubscribeDevice   = "device"
	SubscribeWildcard = "wildcard"
)

// DefaultConfig is the configuration of someone who wrote nothing but where the
// broker is.
func DefaultConfig() Config {
	const base = "linkspan/${productKey}/${deviceName}/"
	return Config{
		Connections:  ConnectionsShared,
		PoolSize:     4,
		CleanSession: true,
		QoS:          1,
		Payload:      PayloadThing,
		Topics: Topics{
			Up: UpTopics{
				Property: base + "up/property", Event: base + "up/event/${name}", Raw: base + "up/raw",
				Reply: base + "up/reply", Publication: "${topic}",
			},
			Down:     DownTopics{Command: base + "down/command", Raw: base + "down/raw"},
			Presence: base + "presence",
			Bridge:   "linkspan/bridge/${clientId}",
		},
		Subscribe:      SubscribeDevice,
		KeepAlive:      60 * time.Second,
		LoginRate:      1000,
		RequestTimeout: 10 * time.Second,
		HoldTimeout:    60 * time.Second,
		InFlight:       512,
		Queue:          65536,
		QueueBytes:     256 << 20,
		MaxPayload:     256 << 10,
		ConnectTimeout: 10 * time.Second,
		ReconnectMin:   time.Second,
		ReconnectMax:   30 * time.Second,
		WriteTimeout:   5 * time.Second,
	}
}
