package jt808

// ID is a message id: 0x0000 to 0x7FFF from the terminal, 0x8000 and up from the
// platform (0x9000 and up: JT/T 1078).
type ID uint16

// Messages of the terminal (JT/T 808-2019 chapter 8, JT/T 1078-2016 chapter 5).
const (
	IDTerminalResponse       ID = 0x0001 // general response of the terminal
	IDHeartbeat              ID = 0x0002 // heartbeat
	IDLogout                 ID = 0x0003 // terminal unregisters
	IDTimeRequest            ID = 0x0004 // query of the server's time (2019)
	IDResendRequest          ID = 0x0005 // terminal asks for missing packets (2019)
	IDRegister               ID = 0x0100 // terminal registers
	IDAuthenticate           ID = 0x0102 // terminal authenticates
	IDParameters             ID = 0x0104 // answer to a query of parameters
	IDAttributes             ID = 0x0107 // answer to a query of attributes
	IDUpgradeResult          ID = 0x0108 // result of an upgrade
	IDLocation               ID = 0x0200 // location report
	IDLocationResponse       ID = 0x0201 // answer to a query of the location
	IDEventReport            ID = 0x0301 // event report
	IDAnswer                 ID = 0x0302 // answer to a question
	IDInfoRequest            ID = 0x0303 // information on demand, or no more
	IDVehicleControlResponse ID = 0x0500 // answer to vehicle control
	IDAreaQueryResponse      ID = 0x0608 // answer to a query of areas and routes (2019)
	IDRecorderData           ID = 0x0700 // data of the driving recorder
	IDWaybill                ID = 0x0701 // electronic waybill
	IDDriverIdentity         ID = 0x0702 // identity of the driver
	IDBatch                  ID = 0x0704 // location reports in a batch
	IDCANData                ID = 0x0705 // CAN bus data
	IDMediaEvent             ID = 0x0800 // multimedia event
	IDMediaData              ID = 0x0801 // multimedia data
	IDMediaSearchResponse    ID = 0x0802 // answer to a search of stored multimedia
	IDShotResponse           ID = 0x0805 // answer to a camera command
	IDPassthrough            ID = 0x0900 // transparent data of the terminal
	IDCompressed             ID = 0x0901 // compressed data of the terminal
	IDTerminalKey            ID = 0x0A00 // RSA public key of the terminal
	IDAVAttributes           ID = 0x1003 // audio and video attributes (JT/T 1078)
	IDPassengerFlow          ID = 0x1005 // passenger flow (JT/T 1078)
	IDAVResourceList         ID = 0x1205 // list of stored audio and video (JT/T 1078)
	IDFileUploadDone         ID = 0x1206 // end of a file upload (JT/T 1078)
)

// Messages of the platform (JT/T 808-2019 chapter 8, JT/T 1078-2016 chapter 5).
const (
	IDPlatformResponse      ID = 0x8001 // general response of the platform
	IDPlatformResendRequest ID = 0x8003 // platform asks for missing packets
	IDTimeResponse          ID = 0x8004 // the server's time (2019)
	IDRegisterResponse      ID = 0x8100 // answer to a registration
	IDSetParameters         ID = 0x8103 // set parameters
	IDQueryAllParameters    ID = 0x8104 // query all parameters
	IDTerminalControl       ID = 0x8105 // terminal control
	IDQueryParameters       ID = 0x8106 // query some parameters
	IDQueryAttributes       ID = 0x8107 // query attributes
	IDUpgrade               ID = 0x8108 // upgrade package
	IDQueryLocation         ID = 0x8201 // query the location
	IDTrack                 ID = 0x8202 // temporary tracking
	IDConfirmAlarm          ID = 0x8203 // alarms confirmed by hand
	IDLinkCheck             ID = 0x8204 // link check (2019)
	IDText                  ID = 0x8300 // text for the terminal
	IDSetEvents             ID = 0x8301 // set the events a driver can report
	IDQuestion              ID = 0x8302 // question to the driver
	IDSetInfoMenu           ID = 0x8303 // set the menu of information on demand
	IDInfo                  ID = 0x8304 // information service
	IDCallBack              ID = 0x8400 // call back
	IDSetPhoneBook          ID = 0x8401 // set the phone book
	IDVehicleControl        ID = 0x8500 // vehicle control
	IDSetCircles            ID = 0x8600 // set circular areas
	IDDeleteCircles         ID = 0x8601 // delete circular areas
	IDSetRectangles         ID = 0x8602 // set rectangular areas
	IDDeleteRectangles      ID = 0x8603 // delete rectangular areas
	IDSetPolygon            ID = 0x8604 // set a polygonal area
	IDDeletePolygons        ID = 0x8605 // delete polygonal areas
	IDSetRoute              ID = 0x8606 // set a route
	IDDeleteRoutes          ID = 0x8607 // delete routes
	IDQueryAreas            ID = 0x8608 // query areas and routes (2019)
	IDReadRecorder          ID = 0x8700 // read the driving recorder
	IDWriteRecorder         ID = 0x8701 // write the driving recorder
	IDQueryDriver           ID = 0x8702 // query the identity of the driver
	IDMediaResponse         ID = 0x8800 // answer to multimedia data
	IDShoot                 ID = 0x8801 // shoot now
	IDSearchMedia           ID = 0x8802 // search stored multimedia
	IDUploadMedia           ID = 0x8803 // upload stored multimedia
	IDRecord                ID = 0x8804 // record sound
	IDUploadOneMedia        ID = 0x8805 // upload one stored item
	IDPlatformPassthrough   ID = 0x8900 // transparent data of the platform
	IDPlatformKey           ID = 0x8A00 // RSA public key of the platform
	IDQueryAVAttributes     ID = 0x9003 // query audio and video attributes (JT/T 1078)
	IDLiveRequest           ID = 0x9101 // request live audio and video (JT/T 1078)
	IDLiveControl           ID = 0x9102 // control live audio and video (JT/T 1078)
	IDLiveStatus            ID = 0x9105 // loss of live audio and video (JT/T 1078)
	IDPlaybackRequest       ID = 0x9201 // request playback (JT/T 1078)
	IDPlaybackControl       ID = 0x9202 // control playback (JT/T 1078)
	IDQueryAVResources      ID = 0x9205 // query stored audio and video (JT/T 1078)
	IDFileUpload            ID = 0x9206 // upload files (JT/T 1078)
	IDFileUploadControl     ID = 0x9207 // control a file upload (JT/T 1078)
	IDPTZRotate             ID = 0x9301 // turn the camera (JT/T 1078)
	IDPTZFocus              ID = 0x9302 // camera focus (JT/T 1078)
	IDPTZIris               ID = 0x9303 // camera iris (JT/T 1078)
	IDPTZWiper              ID = 0x9304 // camera wiper (JT/T 1078)
	IDPTZInfrared           ID = 0x9305 // camera infrared light (JT/T 1078)
	IDPTZZoom               ID = 0x9306 // camera zoom (JT/T 1078)
)

// String is the id as "0x0200".
func (id ID) String() string {
	const digits = "0123456789abcdef"
	return string([]byte{'0', 'x', digits[id>>12], digits[id>>8&15], digits[id>>4&15], digits[id&15]})
}

// Name says in words what the message is: "location report"; "" for a message
// that is in neither standard.
func (id ID) Name() string { return names[id] }

// FromPlatform reports whether the id is one of those that platforms send.
func (id ID) FromPlatform() bool { return id >= 0x8000 }

var names = map[ID]string{
	IDTerminalResponse:       "general response of the terminal",
	IDHeartbeat:              "heartbeat",
	IDLogout:                 "terminal unregisters",
	IDTimeRequest:            "query of the server's time (2019)",
	IDResendRequest:          "terminal asks for missing packets (2019)",
	IDRegister:               "terminal registers",
	IDAuthenticate:           "terminal authenticates",
	IDParameters:             "answer to a query of parameters",
	IDAttributes:             "answer to a query of attributes",
	IDUpgradeResult:          "result of an upgrade",
	IDLocation:               "location report",
	IDLocationResponse:       "answer to a query of the location",
	IDEventReport:            "event report",
	IDAnswer:                 "answer to a question",
	IDInfoRequest:            "information on demand, or no more",
	IDVehicleControlResponse: "answer to vehicle control",
	IDAreaQueryResponse:      "answer to a query of areas and routes (2019)",
	IDRecorderData:           "data of the driving recorder",
	IDWaybill:                "electronic waybill",
	IDDriverIdentity:         "identity of the driver",
	IDBatch:                  "location reports in a batch",
	IDCANData:                "CAN bus data",
	IDMediaEvent:             "multimedia event",
	IDMediaData:              "multimedia data",
	IDMediaSearchResponse:    "answer to a search of stored multimedia",
	IDShotResponse:           "answer to a camera command",
	IDPassthrough:            "transparent data of the terminal",
	IDCompressed:             "compressed data of the terminal",
	IDTerminalKey:            "RSA public key of the terminal",
	IDAVAttributes:           "audio and video attributes (JT/T 1078)",
	IDPassengerFlow:          "passenger flow (JT/T 1078)",
	IDAVResourceList:         "list of stored audio and video (JT/T 1078)",
	IDFileUploadDone:         "end of a file upload (JT/T 1078)",
	IDPlatformResponse:       "general response of the platform",
	IDPlatformResendRequest:  "platform asks for missing packets",
	IDTimeResponse:           "the server's time (2019)",
	IDRegisterResponse:       "answer to a registration",
	IDSetParameters:          "set parameters",
	IDQueryAllParameters:     "query all parameters",
	IDTerminalControl:        "terminal control",
	IDQueryParameters:        "query some parameters",
	IDQueryAttributes:        "query attributes",
	IDUpgrade:                "upgrade package",
	IDQueryLocation:          "query the location",
	IDTrack:                  "temporary tracking",
	IDConfirmAlarm:           "alarms confirmed by hand",
	IDLinkCheck:              "link check (2019)",
	IDText:                   "text for the terminal",
	IDSetEvents:              "set the events a driver can report",
	IDQuestion:               "question to the driver",
	IDSetInfoMenu:            "set the menu of information on demand",
	IDInfo:                   "information service",
	IDCallBack:               "call back",
	IDSetPhoneBook:           "set the phone book",
	IDVehicleControl:         "vehicle control",
	IDSetCircles:             "set circular areas",
	IDDeleteCircles:          "delete circular areas",
	IDSetRectangles:          "set rectangular areas",
	IDDeleteRectangles:       "delete rectangular areas",
	IDSetPolygon:             "set a polygonal area",
	IDDeletePolygons:         "delete polygonal areas",
	IDSetRoute:               "set a route",
	IDDeleteRoutes:           "delete routes",
	IDQueryAreas:             "query areas and routes (2019)",
	IDReadRecorder:           "read the driving recorder",
	IDWriteRecorder:          "write the driving recorder",
	IDQueryDriver:            "query the identity of the driver",
	IDMediaResponse:          "answer to multimedia data",
	IDShoot:                  "shoot now",
	IDSearchMedia:            "search stored multimedia",
	IDUploadMedia:            "upload stored multimedia",
	IDRecord:                 "record sound",
	IDUploadOneMedia:         "upload one stored item",
	IDPlatformPassthrough:    "transparent data of the platform",
	IDPlatformKey:            "RSA public key of the platform",
	IDQueryAVAttributes:      "query audio and video attributes (JT/T 1078)",
	IDLiveRequest:            "request live audio and video (JT/T 1078)",
	IDLiveControl:            "control live audio and video (JT/T 1078)",
	IDLiveStatus:             "loss of live audio and video (JT/T 1078)",
	IDPlaybackRequest:        "request playback (JT/T 1078)",
	IDPlaybackControl:        "control playback (JT/T 1078)",
	IDQueryAVResources:       "query stored audio and video (JT/T 1078)",
	IDFileUpload:             "upload files (JT/T 1078)",
	IDFileUploadControl:      "control a file upload (JT/T 1078)",
	IDPTZRotate:              "turn the camera (JT/T 1078)",
	IDPTZFocus:               "camera focus (JT/T 1078)",
	IDPTZIris:                "camera iris (JT/T 1078)",
	IDPTZWiper:               "camera wiper (JT/T 1078)",
	IDPTZInfrared:            "camera infrared light (JT/T 1078)",
	IDPTZZoom:                "camera zoom (JT/T 1078)",
}
