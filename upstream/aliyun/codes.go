package aliyun

import (
	"fmt"

	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// reaction is what the connector does about a code of the platform.
type reaction uint8

const (
	giveUp      reaction = iota // the login fails, or the device is lost, with that cause
	retryLater                  // a first login fails for now; one after a reconnect is tried again with back-off
	addTopology                 // add the device to the gateway's topology, then log in again
	nextGateway                 // the login goes to the next gateway; when all are full, a first one fails for now, and one after a reconnect is tried again
	backOff                     // no login of the device for a while: the connector refuses its own meanwhile
	loginAgain                  // the session has gone: log in again and send again what was not acknowledged
)

// temporary says whether the same may succeed later.
func (r reaction) temporary() bool { return r == retryLater || r == nextGateway || r == backOff }

// platformCode is one code of the platform.
type platformCode struct {
	code     int
	text     string
	reaction reaction
}

// platformCodes are the codes that logins, logouts, topology changes and error
// notices carry (developer guide, chapters 9 and 10.2), and what is done about
// them. A code that is not here makes the connector give up.
var platformCodes = []platformCode{
	{400, "the request was not understood", giveUp},
	{401, "the signature of the topology is wrong: check the device's secret", giveUp},
	{427, "the device was connected elsewhere with the same certificate", giveUp},
	{428, "the gateway has as many devices online as the platform allows", nextGateway},
	{429, "the device asked to go online too often within a minute", backOff},
	{460, "the parameters of the request are wrong", giveUp},
	{500, "the platform failed", retryLater},
	{520, "the device has no session through this gateway", loginAgain},
	{521, "the device was deleted", giveUp},
	{522, "the device was disabled", giveUp},
	{6100, "the platform knows no such device", giveUp},
	{6106, "a message may report no more than 200 properties", giveUp},
	{6250, "the platform knows no such product", giveUp},
	{6280, "the device's name has characters or a length that the platform does not take", giveUp},
	{6287, "the signature of the login is wrong: check the device's secret", giveUp},
	{6313, "the platform's model service is not available", retryLater},
	{6401, "the device is not in the gateway's topology", addTopology},
	{6402, "a gateway cannot be its own sub-device", giveUp},
}

// The codes that the connector itself gives as a cause.
const (
	codeSuccess     = alink.CodeSuccess
	codeElsewhere   = 427
	codeFull        = 428
	codeTooFast     = 429
	codeNoSession   = 520
	codeDeleted     = 521
	codeDisabled    = 522
	codeTooMany     = 6106
	codeNoDevice    = 6100
	codeBadSign     = 6287
	codeSelf        = 6402
	codeBadParams   = alink.CodeBadParams
	codeTopologyBad = 401
)

var codesByNumber = func() map[int]platformCode {
	m := make(map[int]platformCode, len(platformCodes))
	for _, c := range platformCodes {
		m[c.code] = c
	}
	return m
}()

// lookUp finds a code; an unknown one is given up on.
func lookUp(code int) platformCode {
	if c, known := codesByNumber[code]; known {
		return c
	}
	return platformCode{code, "a code that is not documented", giveUp}
}

// Refused is the error for a code of the platform's (developer guide, chapters 9
// and 10.2) and what the platform said to it.
func Refused(code int, message string) *upstream.RefusedError { return refused(code, message) }

// refused is Refused.
func refused(code int, message string) *upstream.RefusedError {
	c := lookUp(code)
	reason := c.text
	if message != "" && message != "success" {
		reason = fmt.Sprintf("%s (the platform says %q)", c.text, message)
	}
	return &upstream.RefusedError{Code: code, Reason: reason, Temporary: c.reaction.temporary()}
}
