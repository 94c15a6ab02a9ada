package jt808

import "encoding/json"

// MarshalJSON gives what the layout has: no status, time and result in that of
// 2011, and no result of reading a card that was pulled out, unless there is one
// all the same.
func (b DriverIdentity) MarshalJSON() ([]byte, error) {
	type fields DriverIdentity
	s := struct {
		Status CardStatus  `json:"status,omitempty"`
		Time   *BCDTime    `json:"time,omitempty"`
		Result *CardResult `json:"ic_result,omitempty"`
		fields
	}{Status: b.Status, fields: fields(b)}
	if b.Status != CardNone {
		s.Time = &b.Time
		if b.Status == CardIn || b.Result != CardRead || b.hasCard() {
			s.Result = &b.Result
		}
	}
	return json.Marshal(s)
}
