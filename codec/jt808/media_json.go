package jt808

import "encoding/json"

// MarshalJSON gives the items, in the layout of 2011 without media ids.
func (b MediaSearchResponse) MarshalJSON() ([]byte, error) {
	type fields MediaSearchResponse
	if !b.NoIDs {
		return json.Marshal(fields(b))
	}
	type item struct {
		Type     MediaType  `json:"type"`
		Channel  uint8      `json:"channel"`
		Cause    MediaCause `json:"event"`
		Location *Location  `json:"location"`
	}
	var items []item
	for i := range b.Items {
		m := &b.Items[i]
		items = append(items, item{m.Type, m.Channel, m.Cause, &m.Location})
	}
	return json.Marshal(struct {
		Serial uint16 `json:"ack_serial"`
		Total  uint16 `json:"count"`
		NoIDs  bool   `json:"no_ids"`
		Items  []item `json:"items"`
		Tail   Hex    `json:"tail,omitempty"`
	}{b.Serial, b.Total, b.NoIDs, items, b.Tail})
}
