package message_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/upstream/aliyun/message"
)

// childFile and childAddress are the variables that make this test's program a
// gateway.
const (
	childFile    = "LINKSPAN_TEST_GATEWAY_FILE"
	childAddress = "LINKSPAN_TEST_GATEWAY_ADDRESS"
)

// childGateway is a gateway in a process of its own, which notes what is published
// before it answers. It ends when it is killed, or when its standard input does.
func childGateway(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", os.Getenv(childAddress))
	if err != nil {
		return err
	}
	server := &http.Server{Protocols: new(http.Protocols), ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		topic, published := strings.CutPrefix(r.URL.Path, "/message/pub")
		if !published { // the first request
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		body, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = fmt.Fprintf(file, "%s %s\n", topic, body) // one write: there as a whole, or not
		}
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})}
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) //nolint:forbidigo // a process of its own
	}()
	fmt.Println(ln.Addr()) //nolint:forbidigo // tells the test
	return server.Serve(ln)
}

// child starts a gateway and says where it listens.
func child(t *testing.T, path, address string) (*exec.Cmd, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childFile+"="+path, childAddress+"="+address)
	cmd.Stderr = os.Stderr
	if _, err = cmd.StdinPipe(); err != nil { // open as long as this process is
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() }) // it may have ended
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestKilled kills a gateway under load and starts it again: what was done had
// arrived, nothing is lost, and topics keep their order.
func TestKilled(t *testing.T) {
	t.Parallel()
	const topics, kills = 16, 3
	path := filepath.Join(t.TempDir(), "published")
	cmd, address := child(t, path, "127.0.0.78:0") // whose ports nobody takes meanwhile
	p := message.DeviceProfile("http://"+address, "pk", "dn", "secret", "pk.dn")
	p.ReconnectMin, p.ReconnectMax = 5*time.Millisecond, 20*time.Millisecond
	c := connect(t, p, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var stop atomic.Bool
	var done atomic.Int64
	counts := make(chan int, topics)
	for i := range topics {
		go func() { // ends when stop is set
			n := 0
			for ; !stop.Load(); n++ {
				var tokens [4]*message.Token // more of a topic than one at a time
				for k := range tokens {
					tokens[k] = c.Publish(fmt.Sprintf("/pk/dn/user/%d", i), strconv.AppendInt(nil, int64(4*n+k), 10), 1)
				}
				for _, token := range tokens {
					if err := token.Wait(ctx); err != nil {
						t.Errorf("topic %d: %v", i, err)
					}
					done.Add(1)
				}
			}
			counts <- 4 * n
		}()
	}
	for range kills {
		for from := done.Load(); done.Load() < from+500; {
			await(t, "a tick", time.After(time.Millisecond))
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		cmd, _ = child(t, path, address)
	}
	stop.Store(true)
	total := 0
	for range topics {
		total += await(t, "the end of a topic", counts)
	}
	checkPublished(t, path, total)
	if s := c.Stats(); s.Connects <= kills || s.Resent == 0 || s.Failed > 0 {
		t.Errorf("%+v", s)
	}
}

// checkPublished looks at what the gateway has noted: total messages, each topic's
// in order where they came first.
func checkPublished(t *testing.T, path string, total int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]int{}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if seen[line] {
			continue
		}
		seen[line] = true
		topic, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("noted: %q", line)
		}
		got[topic] = append(got[topic], n)
	}
	if len(seen) != total {
		t.Errorf("%d messages were noted of %d", len(seen), total)
	}
	for topic, list := range got {
		if !slices.IsSorted(list) {
			t.Errorf("%s: %v", topic, list)
		}
	}
}
