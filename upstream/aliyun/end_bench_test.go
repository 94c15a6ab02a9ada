package aliyun_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// BenchmarkEndToEnd compares the connector with a bare client of the same
// library that publishes the same payloads with the same window. The broker runs
// in the same process, so its cost is in all of them.
func BenchmarkEndToEnd(b *testing.B) {
	const window = 256
	fields := []thing.Field{
		{Name: "latitude", Value: thing.Decimal(31234567, 6)},
		{Name: "longitude", Value: thing.Decimal(121456789, 6)},
		{Name: "speed", Value: thing.Decimal(605, 1)},
		{Name: "direction", Value: thing.Int(270)},
	}
	quiet := func(c *platform.Config) { c.Reply = platform.ReplyNone }
	for _, qos := range []thing.QoS{thing.AtMostOnce, thing.AtLeastOnce} {
		b.Run(fmt.Sprintf("qos%d/connector", qos-1), func(b *testing.B) {
			p := startPlatform(b, quiet)
			cfg := config(p)
			cfg.InFlight = window
			d := loggedIn(b, cfg, truck(0))
			m := &thing.Message{Kind: thing.Property, QoS: qos, Fields: fields}
			slots := make(chan struct{}, window)
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				slots <- struct{}{}
				d.Publish(m, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-slots
				})
			}
			for range window {
				slots <- struct{}{}
			}
			reportCPU(b, cpu)
		})
		b.Run(fmt.Sprintf("qos%d/bare", qos-1), func(b *testing.B) {
			p := startPlatform(b, quiet)
			client := bareClient(b, p)
			payload := []byte(`{"id":"2241348","version":"1.0","params":` + string(thing.AppendFields(nil, fields)) + `,"method":"thing.event.property.post"}`)
			tokens := make(chan mqtt.Token, window)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for t := range tokens {
					if t.Wait(); t.Error() != nil {
						b.Error(t.Error())
					}
				}
			}()
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				tokens <- client.Publish("/sys/"+gatewayProduct+"/"+gatewayName(0)+"/thing/event/property/post", byte(qos-1), false, payload)
			}
			close(tokens)
			<-ended
			reportCPU(b, cpu)
		})
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, before time.Duration) {
	b.Helper()
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e3, "cpu-us/op")
}

func bareClient(b *testing.B, p *platform.Platform) mqtt.Client {
	b.Helper()
	cid := "bare"
	o := mqtt.NewClientOptions().AddBroker("tcp://" + p.MQTTAddr()).SetProtocolVersion(4).
		SetClientID(cid + "|securemode=3,signmethod=hmacsha256|").SetUsername(gatewayName(0) + "&" + gatewayProduct).
		SetPassword(auth.Sign(auth.HMACSHA256, secret,
			auth.Param{Name: "clientId", Value: cid}, auth.Param{Name: "deviceName", Value: gatewayName(0)}, auth.Param{Name: "productKey", Value: gatewayProduct})).
		SetKeepAlive(time.Minute).SetWriteTimeout(5 * time.Second).SetOrderMatters(false)
	client := mqtt.NewClient(o)
	if t := client.Connect(); t.Wait() && t.Error() != nil {
		b.Fatal(t.Error())
	}
	b.Cleanup(func() { client.Disconnect(250) })
	return client
}

// loggedIn is a device that is logged in through a connector of its own, which
// ends with the test.
func loggedIn(tb testing.TB, cfg aliyun.Config, id auth.Identity) upstream.Device {
	tb.Helper()
	c := start(tb, cfg)
	d, err := login(tb, c, upstream.Login{Device: id})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// start is a connector that is started and ends with the test.
func start(tb testing.TB, cfg aliyun.Config) *aliyun.Connector {
	tb.Helper()
	c, err := aliyun.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Start(ctx, upstream.Host{}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeConnector(tb, c) })
	return c
}

func closeConnector(tb testing.TB, c *aliyun.Connector) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

func login(tb testing.TB, c *aliyun.Connector, l upstream.Login) (upstream.Device, error) {
	tb.Helper()
	type result struct {
		d   upstream.Device
		err error
	}
	done := make(chan result, 1)
	c.Login(l, func(d upstream.Device, err error) { done <- result{d, err} })
	r := <-done
	return r.d, r.err
}

// online starts a connector and logs the first truck in.
func online(tb testing.TB, cfg aliyun.Config) (*aliyun.Connector, upstream.Device) {
	tb.Helper()
	up, err := aliyun.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err = up.Start(tb.Context(), upstream.Host{}); err != nil {
		tb.Fatal(err)
	}
	d, err := login(tb, up, upstream.Login{Device: truck(0)})
	if err != nil {
		closeConnector(tb, up)
		tb.Fatal(err)
	}
	return up, d
}

func publish(d upstream.Device, m *thing.Message) error {
	done := make(chan error, 1)
	d.Publish(m, func(err error) { done <- err })
	return <-done
}
