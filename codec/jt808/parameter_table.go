package jt808

import (
	"slices"
	"strconv"
	"strings"
)

// ParameterInfo is what the standards say of a parameter.
type ParameterInfo struct {
	ID   ParameterID
	Name string        // in snake_case, ours: the standards have no names
	Kind ParameterKind // how to read the value
	Unit string        // "s", "0.1 km/h", ...; "" for codes, bits and text
}

// LowerCamel is the name in lowerCamelCase: "heartbeatInterval".
func (i ParameterInfo) LowerCamel() string { return lowerCamel(i.Name) }

func lowerCamel(name string) string {
	words := strings.Split(name, "_")
	for i := 1; i < len(words); i++ {
		if w := words[i]; w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

const (
	aByte   = ParameterUint8
	aWord   = ParameterUint16
	aDword  = ParameterUint32
	aText   = ParameterText
	aStruct = ParameterBytes
)

// parameters is the parameters of JT/T 808-2019, with those that the
// editions before had there (ports, phone numbers), and of JT/T 1078-2016
// (0x0075 to 0x007C). Widths that were others in 2011 (0x0081, 0x0082 and
// 0x0084 as DWORD) are read all the same.
var parameters = []ParameterInfo{
	{0x0001, "heartbeat_interval", aDword, "s"},
	{0x0002, "tcp_response_timeout", aDword, "s"},
	{0x0003, "tcp_retransmissions", aDword, ""},
	{0x0004, "udp_response_timeout", aDword, "s"},
	{0x0005, "udp_retransmissions", aDword, ""},
	{0x0006, "sms_response_timeout", aDword, "s"},
	{0x0007, "sms_retransmissions", aDword, ""},
	{0x0010, "main_server_apn", aText, ""},
	{0x0011, "main_server_user", aText, ""},
	{0x0012, "main_server_password", aText, ""},
	{0x0013, "main_server_address", aText, ""}, // in 2019 host:port, several separated by semicolons
	{0x0014, "backup_server_apn", aText, ""},
	{0x0015, "backup_server_user", aText, ""},
	{0x0016, "backup_server_password", aText, ""},
	{0x0017, "backup_server_address", aText, ""}, // in 2019 host:port, several separated by semicolons
	{0x0018, "server_tcp_port", aDword, ""},      // reserved in 2019
	{0x0019, "server_udp_port", aDword, ""},      // reserved in 2019
	{0x001A, "ic_card_main_server", aText, ""},
	{0x001B, "ic_card_server_tcp_port", aDword, ""},
	{0x001C, "ic_card_server_udp_port", aDword, ""},
	{0x001D, "ic_card_backup_server", aText, ""},
	{0x0020, "report_strategy", aDword, ""}, // 0 by time, 1 by distance, 2 by both
	{0x0021, "report_scheme", aDword, ""},   // 0 by ACC, 1 by login and, when logged in, by ACC
	{0x0022, "report_interval_logged_out", aDword, "s"},
	{0x0023, "second_server_apn", aText, ""}, // 0x0023 to 0x0026: new in 2019
	{0x0024, "second_server_user", aText, ""},
	{0x0025, "second_server_password", aText, ""},
	{0x0026, "second_server_address", aText, ""},
	{0x0027, "report_interval_sleeping", aDword, "s"},
	{0x0028, "report_interval_emergency", aDword, "s"},
	{0x0029, "report_interval_default", aDword, "s"},
	{0x002C, "report_distance_default", aDword, "m"},
	{0x002D, "report_distance_logged_out", aDword, "m"},
	{0x002E, "report_distance_sleeping", aDword, "m"},
	{0x002F, "report_distance_emergency", aDword, "m"},
	{0x0030, "corner_report_angle", aDword, "degree"}, // below 180
	{0x0031, "fence_radius", aWord, "m"},              // of the fence for illegal movement
	{0x0032, "forbidden_driving_period", aStruct, ""}, // 2019: start hour, minute, end hour, minute; binary
	{0x0040, "platform_phone", aText, ""},
	{0x0041, "reset_phone", aText, ""},
	{0x0042, "factory_reset_phone", aText, ""},
	{0x0043, "platform_sms_phone", aText, ""},
	{0x0044, "alarm_sms_phone", aText, ""},
	{0x0045, "call_answer_strategy", aDword, ""}, // 0 automatic, 1 automatic while ACC is on, else by hand
	{0x0046, "call_duration_limit", aDword, "s"}, // 0 none, 0xFFFFFFFF without limit
	{0x0047, "call_duration_limit_monthly", aDword, "s"},
	{0x0048, "monitor_phone", aText, ""},
	{0x0049, "privileged_sms_phone", aText, ""},
	{0x0050, "alarm_mask", aDword, ""}, // 0x0050 to 0x0054: bits of the alarm word
	{0x0051, "alarm_sms_switch", aDword, ""},
	{0x0052, "alarm_shoot_switch", aDword, ""},
	{0x0053, "alarm_shoot_store", aDword, ""},
	{0x0054, "key_alarms", aDword, ""},
	{0x0055, "max_speed", aDword, "km/h"},
	{0x0056, "overspeed_duration", aDword, "s"},
	{0x0057, "continuous_driving_limit", aDword, "s"},
	{0x0058, "daily_driving_limit", aDword, "s"},
	{0x0059, "min_rest_time", aDword, "s"},
	{0x005A, "max_parking_time", aDword, "s"},
	{0x005B, "overspeed_warning_margin", aWord, "0.1 km/h"},
	{0x005C, "fatigue_warning_margin", aWord, "s"},
	{0x005D, "collision_alarm", aWord, ""}, // low byte: time, 4 ms in 2013, 1 ms in 2019; high byte: 0.1 g
	{0x005E, "rollover_angle", aWord, "degree"},
	{0x0064, "timed_shooting", aDword, ""},    // bits 0-4 channel on, 8-12 upload, 16 unit s or min, 17-31 value
	{0x0065, "distance_shooting", aDword, ""}, // bits 0-4 channel on, 8-12 upload, 16 unit m or km, 17-31 value
	{0x0070, "image_quality", aDword, ""},     // 1 (best) to 10
	{0x0071, "brightness", aDword, ""},        // 0 to 255
	{0x0072, "contrast", aDword, ""},          // 0 to 127
	{0x0073, "saturation", aDword, ""},        // 0 to 127
	{0x0074, "chroma", aDword, ""},            // 0 to 255
	{0x0075, "av_parameters", aStruct, ""},
	{0x0076, "av_channels", aStruct, ""},
	{0x0077, "av_channel_parameters", aStruct, ""},
	{0x0079, "alarm_recording", aStruct, ""},
	{0x007A, "video_alarm_mask", aDword, ""}, // bits of location item 0x14
	{0x007B, "image_analysis_alarm", aStruct, ""},
	{0x007C, "terminal_wakeup", aStruct, ""},
	{0x0080, "odometer", aDword, "0.1 km"},
	{0x0081, "province", aWord, ""},
	{0x0082, "city", aWord, ""},
	{0x0083, "plate", aText, ""},
	{0x0084, "plate_color", aByte, ""},
	{0x0090, "gnss_mode", aByte, ""},        // bits 0 GPS, 1 BeiDou, 2 GLONASS, 3 Galileo
	{0x0091, "gnss_baud_rate", aByte, ""},   // 0: 4800 ... 5: 115200 baud
	{0x0092, "gnss_output_rate", aByte, ""}, // 0: 500 ms ... 4
	{0x0093, "gnss_sample_interval", aDword, "s"},
	{0x0094, "gnss_upload_mode", aByte, ""}, // 0x00, 0x01, 0x02, 0x0B, 0x0C, 0x0D
	{0x0095, "gnss_upload_setting", aDword, ""},
	{0x0100, "can1_sample_interval", aDword, "ms"},
	{0x0101, "can1_upload_interval", aWord, "s"},
	{0x0102, "can2_sample_interval", aDword, "ms"},
	{0x0103, "can2_upload_interval", aWord, "s"},
}

// The parameters 0x0110 to 0x01FF set what is collected from the CAN bus, one id
// each: "can_collection_0110" and so on, BYTE[8].
const (
	firstCANCollection = 0x0110
	lastCANCollection  = 0x01FF
	canCollection      = "can_collection_"
)

var parameterByID, parameterByName = indexParameters()

func indexParameters() (byID map[ParameterID]ParameterInfo, byName map[string]ParameterInfo) {
	byID, byName = map[ParameterID]ParameterInfo{}, map[string]ParameterInfo{}
	for _, p := range parameters {
		byID[p.ID] = p
		byName[p.Name] = p
		byName[p.LowerCamel()] = p
	}
	return byID, byName
}

// AllParameters is the parameters that have names of their own, by id.
func AllParameters() []ParameterInfo { return slices.Clone(parameters) }

// ParameterByID tells what the standards say of a parameter; false if nothing:
// 0xF000 to 0xFFFF are the makers'.
func ParameterByID(id ParameterID) (ParameterInfo, bool) {
	if id >= firstCANCollection && id <= lastCANCollection {
		name := canCollection + "0" + strconv.FormatUint(uint64(id), 16)
		return ParameterInfo{ID: id, Name: name, Kind: ParameterBytes}, true
	}
	p, ok := parameterByID[id]
	return p, ok
}

// ParameterByName finds a parameter by its name in snake_case or lowerCamelCase,
// or by its id as "0x0001", which may be one that the standards do not know: its
// kind is ParameterBytes then.
func ParameterByName(name string) (ParameterInfo, bool) {
	if p, ok := parameterByName[name]; ok {
		return p, true
	}
	if digits, ok := cutAny(name, canCollection, lowerCamel(canCollection)); ok {
		n, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || n < firstCANCollection || n > lastCANCollection {
			return ParameterInfo{}, false
		}
		return ParameterByID(ParameterID(n))
	}
	digits, ok := cutAny(name, "0x", "0X")
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil {
		return ParameterInfo{}, false
	}
	return Parameter{ID: ParameterID(n)}.Info(), true
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
