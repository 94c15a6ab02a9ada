//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"sync"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/upstream/aliyun/http2"
)

// startHTTP2Platform is the local platform with its HTTP/2 gateway.
func startHTTP2Platform(string) (*role, error) {
	return startPlatformAt(func(c *platform.Config) { c.HTTP2Address = "127.0.0.1:0" }, (*platform.Platform).HTTP2Addr)
}

// startHTTP2Linkspan is linkspan over HTTP/2 without TLS. The settings are the
// gateway's address and the quality of service.
func startHTTP2Linkspan(settings string) (*role, error) {
	cfg := http2.DefaultConfig()
	var addr string
	if _, err := fmt.Sscan(settings, &addr, &cfg.QoS); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	cfg.Endpoint = "http://" + addr
	cfg.ProductKey, cfg.DeviceName, cfg.DeviceSecret = gatewayProduct, gatewayName, benchSecret
	cfg.LoginRate, cfg.LoginsPerMinute, cfg.MaxDevicesPerGateway = 1e6, 0, 1<<17
	up, err := http2.New(cfg)
	if err != nil {
		return nil, err
	}
	return startLinkspan(up, "delivered", func(n *counts) {
		st := up.Stats().Aliyun
		n.Payloads, n.Bytes = st.Acknowledged, st.Bytes
	})
}

// bareStreams is how many requests of the bare client may be under way: as many
// as the gateway allows, but for the first, which stays open.
const bareStreams = 255

// bareHTTP2 publishes the payloads of linkspan by the HTTP/2 client of Go's library,
// which is that of golang.org/x/net, over one connection, and does nothing else.
type bareHTTP2 struct {
	conn     *nethttp.Transport
	first    *nethttp.Response // stays open
	url, qos string
	payloads [][]byte

	mu    sync.Mutex
	count counts // guarded by mu
}

func startBareHTTP2(settings string) (*role, error) {
	var addr string
	b := &bareHTTP2{}
	if _, err := fmt.Sscan(settings, &addr, &b.qos); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	b.url = "http://" + addr + "/message/pub/sys/" + gatewayProduct + "/" + gatewayName + "/thing/event/property/post"
	var err error
	if b.payloads, err = payloads(0); err != nil {
		return nil, err
	}
	b.conn = &nethttp.Transport{Protocols: new(nethttp.Protocols), HTTP2: &nethttp.HTTP2Config{StrictMaxConcurrentRequests: true}}
	b.conn.Protocols.SetUnencryptedHTTP2(true)
	r, err := nethttp.NewRequestWithContext(context.Background(), nethttp.MethodGet, "http://"+addr+"/message/ack", nil)
	if err != nil {
		return nil, err
	}
	const id = "bare"
	for name, value := range map[string]string{
		"x-auth-name": "devicename", "x-auth-param-client-id": id, "x-auth-param-signmethod": "hmacsha256",
		"x-auth-param-product-key": gatewayProduct, "x-auth-param-device-name": gatewayName,
		"x-auth-param-sign": auth.Sign(auth.HMACSHA256, benchSecret, auth.Param{Name: "clientId", Value: id},
			auth.Param{Name: "deviceName", Value: gatewayName}, auth.Param{Name: "productKey", Value: gatewayProduct}),
	} {
		r.Header.Set(name, value)
	}
	if b.first, err = b.conn.RoundTrip(r); err != nil { //nolint:bodyclose // close does
		return nil, err
	}
	if b.first.StatusCode != nethttp.StatusOK {
		return nil, fmt.Errorf("the gateway answers with %s", b.first.Status)
	}
	return &role{
		count: func() counts {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.count
		},
		drive: b.drive,
		close: func(context.Context) error {
			defer b.conn.CloseIdleConnections()
			return b.first.Body.Close()
		},
	}, nil
}

// drive publishes for that long, and returns when the platform has all of it.
func (b *bareHTTP2) drive(d time.Duration) (published int, err error) {
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for w := range bareStreams {
		wg.Go(func() {
			sent, size := 0, 0
			var failed error
			for ; failed == nil && time.Now().Before(end); sent++ {
				payload := b.payloads[(w+sent)%len(b.payloads)]
				if failed = b.publish(payload); failed == nil {
					size += len(payload)
				}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			published += sent
			b.count.Payloads += uint64(sent) //nolint:gosec // positive
			b.count.Bytes += uint64(size)    //nolint:gosec // likewise
			err = errors.Join(err, failed)
		})
	}
	wg.Wait()
	return published, err
}

func (b *bareHTTP2) publish(payload []byte) error {
	r, err := nethttp.NewRequestWithContext(context.Background(), nethttp.MethodPost, b.url, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	r.Header.Set("x-qos", b.qos)
	answer, err := b.conn.RoundTrip(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode != nethttp.StatusOK {
		err = errors.Join(err, fmt.Errorf("the gateway answers with %s", answer.Status))
	}
	return errors.Join(err, answer.Body.Close())
}
