package devices_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/linkspan/linkspan/config/devices"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "devices.conf")
	text := `
		"460011234567890" { productKey = a1Xf9GvQq7B, deviceName = truck-17, deviceSecret = "..." }
		460011234567891   { productKey = a1Xf9GvQq7B, devicName = truck-18 }`
	if err = os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	file, err := devices.Open(devices.Config{File: path})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range file.Mistakes() {
		fmt.Println(m.Line, strings.TrimPrefix(m.Error(), fmt.Sprintf("config: %s:%d:%d: ", m.File, m.Line, m.Column)))
	}
	identity, err := file.Identity("460011234567890")
	fmt.Println(identity, err)
	_, err = file.Identity("460011234567891")
	fmt.Println(errors.Is(err, devices.ErrUnknown))
	// Output:
	// 3 460011234567891.devicName: is not a known key, so this entry is left out; did you mean deviceName?
	// a1Xf9GvQq7B/truck-17 <nil>
	// true
}

func ExampleCatalog_firstFree() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg := devices.DefaultConfig()
	cfg.File, cfg.Unknown = "", devices.PolicyFirstFree
	cfg.Pool, cfg.Bindings = filepath.Join(dir, "pool.csv"), filepath.Join(dir, "bindings.conf")
	pool := "productKey,deviceName,deviceSecret\na1Xf9GvQq7B,spare-1,...\na1Xf9GvQq7B,spare-2,...\n"
	if err = os.WriteFile(cfg.Pool, []byte(pool), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	known, err := devices.Open(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"car 9", "car 7", "car 9", "car 8"} {
		identity, err := known.Identity(name)
		fmt.Println(name, identity, err)
	}
	// Output:
	// car 9 a1Xf9GvQq7B/spare-1 <nil>
	// car 7 a1Xf9GvQq7B/spare-2 <nil>
	// car 9 a1Xf9GvQq7B/spare-1 <nil>
	// car 8 / devices: "car 8": devices: no certificate of the pool is free
}
