//go:build linux

package main

import "slices"

// The variants. Devices connect to all but bareName.
const (
	limitName         = "limit"
	goroutinesName    = "goroutines"
	discardName       = "linkspan-discard"
	limitUDPName      = "limit-udp"
	discardUDPName    = "linkspan-udp"
	goroutinesTLSName = "goroutines-tls"
	discardTLSName    = "linkspan-tls"
	platformName      = "linkspan-platform"
	bareName          = "bare-client"
	directName        = "linkspan-direct"
	mqttName          = "linkspan-mqtt"
	bareBrokerName    = "bare-client-mqtt"
	http2Name         = "linkspan-http2"
	bareHTTP2Name     = "bare-client-http2"
	brokerName        = "platform" // is measured by nobody
	otherBrokerName   = "broker"   // likewise
	gatewayBrokerName = "platform-http2"

	modbusDiscardName  = "linkspan-modbus"
	modbusPlatformName = "linkspan-modbus-platform"
	panelsName         = "linkspan-gbt26875"
	panelsPlatformName = "platform-api"
)

var roles = map[string]func(settings string) (*role, error){
	limitName:         startLimit,
	goroutinesName:    startGoroutines,
	discardName:       startDiscard,
	limitUDPName:      startLimitUDP,
	discardUDPName:    startDiscardUDP,
	goroutinesTLSName: startGoroutinesTLS,
	discardTLSName:    startDiscardTLS,
	platformName:      startPlatformLinkspan,
	bareName:          startBareClient,
	directName:        startDirectLinkspan,
	mqttName:          startMQTTLinkspan,
	bareBrokerName:    startBareBrokerClient,
	brokerName:        startPlatform,
	otherBrokerName:   startBroker,
	http2Name:         startHTTP2Linkspan,
	bareHTTP2Name:     startBareHTTP2,
	gatewayBrokerName: startHTTP2Platform,

	modbusDiscardName:  startModbusDiscard,
	modbusPlatformName: startModbusPlatform,
	panelsName:         startPanels,
	panelsPlatformName: startPanelsPlatform,

	memoryName:    startAcks(memoryName),
	receivedName:  startAcks(receivedName),
	storedName:    startAcks(storedName),
	deliveredName: startAcks(deliveredName),
}

// serverNames are the variants in the order of the tables.
func serverNames() []string {
	return []string{limitName, goroutinesName, discardName, platformName, bareName, limitUDPName, discardUDPName, goroutinesTLSName, discardTLSName, directName, mqttName, bareBrokerName, http2Name, bareHTTP2Name, modbusDiscardName, modbusPlatformName, panelsName, memoryName, receivedName, storedName, deliveredName}
}

// socketVariants are those that need no platform.
func (b *bench) socketVariants() []string { return b.wanted(limitName, goroutinesName, discardName) }

// wanted are those of names that are to be measured.
func (b *bench) wanted(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !b.opts.wants(name) })
}
