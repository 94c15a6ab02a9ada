package platform

import "strconv"

// Code is a result code of the vendor's Alink protocol, as replies carry it.
type Code int

// The codes that the platform answers with.
const (
	CodeOK              Code = 200
	CodeAuth            Code = 401  // topology: the signature is wrong
	CodeElsewhere       Code = 427  // forced offline: the device logged in elsewhere
	CodeTooManyDevices  Code = 428  // login: the gateway carries as many as it may
	CodeTooFast         Code = 429  // login: too many of this device in a minute
	CodeParameter       Code = 460  // the request is wrong
	CodeServer          Code = 500  // the platform has failed
	CodeNoSession       Code = 520  // the sub-device is not online through this gateway
	CodeDeleted         Code = 521  // the device was deleted
	CodeForbidden       Code = 522  // the device is disabled
	CodeNoMeta          Code = 5001 // HTTPS authentication: no such device
	CodeNotFound        Code = 6100 // no such device
	CodeMapSize         Code = 6106 // a post has too many properties
	CodeProductNotFound Code = 6250 // found list: no such product
	CodeDeviceName      Code = 6280 // found list: the name is none
	CodeSign            Code = 6287 // login: the signature is wrong
	CodeNoRegister      Code = 6288 // registration: switched off for the product. This platform's own choice: no public page has the vendor's
	CodeActivated       Code = 6289 // registration: the device was online before; likewise
	CodeNoTopology      Code = 6401 // login: the device is not in the gateway's topology
	CodeSelf            Code = 6402 // topology: a gateway is no sub-device of itself
	CodeNoTemplate      Code = 6321 // the device has no thing specification here
	CodeNoConfig        Code = 6710 // there is no remote configuration
)

var codeTexts = map[Code]string{
	CodeOK:              "success",
	CodeAuth:            "request auth error",
	CodeElsewhere:       "device connect in elsewhere",
	CodeTooManyDevices:  "too many subdevices under gateway",
	CodeTooFast:         "rate limit, too many subDeviceOnline msg in one minute",
	CodeParameter:       "request parameter error",
	CodeServer:          "server error",
	CodeNoSession:       "device no session",
	CodeDeleted:         "device deleted",
	CodeForbidden:       "device forbidden",
	CodeNoMeta:          "meta device not found",
	CodeNoRegister:      "dynamic register is disabled",
	CodeActivated:       "device is already activated",
	CodeNotFound:        "device not found",
	CodeMapSize:         "map size must less than 200",
	CodeProductNotFound: "product not found",
	CodeDeviceName:      "devicename not meet specs",
	CodeSign:            "invalid sign",
	CodeNoTopology:      "topo relation not exist",
	CodeSelf:            "topo relation cannot add by self",
	CodeNoTemplate:      "tsl: device not exist in product",
	CodeNoConfig:        "no data",
}

// String is what the vendor's message for the code says.
func (c Code) String() string {
	if s, ok := codeTexts[c]; ok {
		return s
	}
	return "code " + strconv.Itoa(int(c))
}
