package jt808

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestHeaderVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "jt808") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			wire := unhex(t, v.Hex)
			o := DefaultOptions()
			o.AllowEncrypted = true
			frames, errs := decodeAll(t, NewDecoder(o), wire)
			if len(frames) != 1 || len(errs) != 0 {
				t.Fatalf("%d frames, errors %v", len(frames), errs)
			}
			checkHeader(t, &v, frames[0])
			again, err := AppendFrame(nil, frames[0])
			if err != nil {
				t.Fatal(err)
			}
			var attr, sent int
			v.get(t, "attr", &attr)
			if sent = int(again[3])<<8 | int(again[4]); again[3] != escape && again[4] != escape && sent == attr && !bytes.Equal(again, wire) {
				t.Errorf("encoded again\n %x, want\n %x", again, wire)
			}
		})
	}
}

func checkHeader(t *testing.T, v *vector, f *Frame) {
	t.Helper()
	var want struct {
		MsgID         string `json:"msg_id"`
		BodyLen       int    `json:"body_len"`
		Encrypt       uint8  `json:"encrypt"`
		Phone         string `json:"phone"`
		PhoneIsBCD    bool   `json:"phone_is_bcd"`
		PhoneStripped string `json:"phone_stripped"`
		Serial        uint16 `json:"serial"`
		HeaderVersion string `json:"header_version"`
		BodyHex       string `json:"body_hex"`
		ProtoVer      uint8  `json:"proto_ver"`
		Total         uint16 `json:"package_total"`
		Index         uint16 `json:"package_no"`
	}
	for field, into := range map[string]any{
		"msg_id": &want.MsgID, "body_len": &want.BodyLen, "encrypt": &want.Encrypt, "phone": &want.Phone,
		"phone_is_bcd": &want.PhoneIsBCD, "phone_stripped": &want.PhoneStripped, "serial": &want.Serial,
		"header_version": &want.HeaderVersion, "body_hex": &want.BodyHex,
	} {
		v.get(t, field, into)
	}
	for field, into := range map[string]any{"proto_ver": &want.ProtoVer, "package_total": &want.Total, "package_no": &want.Index} {
		if v.has(field) {
			v.get(t, field, into)
		}
	}
	phone, err := ParsePhone(want.Phone, parseVersion(want.HeaderVersion))
	if err != nil {
		t.Fatal(err)
	}
	header := Header{
		ID: parseID(t, want.MsgID), Version: parseVersion(want.HeaderVersion), ProtocolVersion: want.ProtoVer,
		Encryption: want.Encrypt, Phone: phone, Serial: want.Serial, Total: want.Total, Index: want.Index,
	}
	if f.Header != header {
		t.Errorf("header\n %+v, want\n %+v", f.Header, header)
	}
	if hex.EncodeToString(f.Body) != want.BodyHex || len(f.Body) != want.BodyLen {
		t.Errorf("body of %d bytes\n %x, want %d\n %s", len(f.Body), f.Body, want.BodyLen, want.BodyHex)
	}
	if f.Phone.String() != want.Phone || f.Phone.Stripped() != want.PhoneStripped || f.Phone.IsBCD() != want.PhoneIsBCD {
		t.Errorf("phone %v, %s, %v, want %s, %s, %v", f.Phone, f.Phone.Stripped(), f.Phone.IsBCD(), want.Phone, want.PhoneStripped, want.PhoneIsBCD)
	}
}
