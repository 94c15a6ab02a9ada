package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/linkspan/linkspan/config"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "application.conf")
	text := `
		productKey = a1Xf9GvQq7B
		socketServer {
			ports = [9123, 9124]
			idle = 5 minutes
			prots = 1
		}`
	if err = os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	tree, err := config.Load(path)
	if err != nil {
		fmt.Println(err) // with file, line and column
		return
	}
	type Server struct {
		ListenType string        `conf:"listenType" doc:"tcp or udp"`
		Ports      []int         `conf:"ports" doc:"where to listen"`
		Idle       time.Duration `conf:"idle" doc:"a device silent for that long is offline"`
	}
	server := Server{ListenType: "tcp", Ports: []int{9123}, Idle: time.Minute} // the defaults
	if err := tree.Decode("socketServer", &server); err != nil {
		fmt.Println(err) // every mistake, one a line
		return
	}
	fmt.Printf("%+v\n", server)
	for _, w := range tree.Warnings() {
		fmt.Println(filepath.Base(w.File), w.Line, w.Key, w.Problem+";", w.Hint)
	}
	// Output:
	// {ListenType:tcp Ports:[9123 9124] Idle:5m0s}
	// application.conf 6 socketServer.prots is not a known key; did you mean ports?
}

func ExampleReference() {
	type Server struct {
		Ports []int         `conf:"ports" doc:"where to listen"`
		Idle  time.Duration `conf:"idle" doc:"a device silent for that long is offline"`
	}
	manual := config.Reference(config.Section{Path: "socketServer", Config: Server{Ports: []int{9123}, Idle: time.Minute}})
	fmt.Print(manual.Markdown())
	// Output:
	// ## socketServer
	//
	// | Key | Type | Default | Meaning |
	// | --- | --- | --- | --- |
	// | `socketServer.ports` | list of whole number | `[9123]` | where to listen |
	// | `socketServer.idle` | duration | `1m` | a device silent for that long is offline |
}
