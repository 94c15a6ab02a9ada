package bridge_test

import (
	"context"
	"fmt"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// oneDevice knows one device.
type oneDevice struct{}

func (oneDevice) Identity(name string) (auth.Identity, error) {
	if name != "13912345678" {
		return auth.Identity{}, bridge.ErrUnknownDevice
	}
	return auth.Identity{ProductKey: "a1b2c3", DeviceName: "truck-7"}, nil
}

// printer is a platform that prints what it is told, and answers.
type printer struct{ login upstream.Login }

func (p *printer) Login(l upstream.Login, done func(upstream.Device, error)) {
	p.login = l
	fmt.Println("login", l.Device)
	done(p, nil)
}

func (p *printer) Publish(m *thing.Message, done func(error)) {
	fmt.Printf("%s %s: %s\n", m.Kind, m.Topic, m.Raw)
	done(nil)
}

func (p *printer) Logout(done func(error)) {
	fmt.Println("logout", p.login.Device)
	done(nil)
}

// socket is what the integrator has: a writer.
type socket chan string

func (s socket) Write(b []byte) (int, error) {
	s <- string(b)
	return len(b), nil
}

// An integrator with sockets of their own: any io.Writer is a session's channel.
func Example() {
	ctx := context.Background()
	platform := &printer{}
	b, err := bridge.New(bridge.DefaultConfig(), platform, oneDevice{}, bridge.WithDownlink(bridge.DirectDownlink{}))
	if err == nil {
		err = b.Start(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	conn := make(socket)
	s := session.New("13912345678", conn, session.Heartbeat(time.Minute, 2))
	fmt.Println(b.Online(ctx, s))
	fmt.Println(b.Publish(ctx, "13912345678", bridge.Message{Topic: "/user/update", Payload: []byte("hello")}))
	fmt.Println(b.Publish(ctx, "13900000000", bridge.Message{}))
	platform.login.Command(&thing.Command{Kind: thing.Notice, Topic: "/user/get", Raw: []byte("wake up")})
	fmt.Println(<-conn)
	fmt.Println(b.Close(ctx))
	// Output:
	// login a1b2c3/truck-7
	// <nil>
	// publication /user/update: hello
	// <nil>
	// bridge: publish for "13900000000": auth: unknown device
	// wake up
	// logout a1b2c3/truck-7
	// <nil>
}
