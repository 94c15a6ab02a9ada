//go:build unix

package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/server"
)

// filesEnv makes the test binary a server with hardly any file descriptors.
const filesEnv = "LINKSPAN_TEST_FILES"

const fewFiles = 40

func serveWithFewFiles() error {
	limit := unix.Rlimit{Cur: fewFiles, Max: fewFiles}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	t := &testing.B{} // of whom only Helper is called, unless something is broken
	c := &cloud{answers: make(chan func()), live: map[string]int{}, said: map[string][]string{}}
	s, err := server.New(server.Config{Loops: 1, MaxConnections: 1000},
		[]server.Listener{listenerFor(t, c, nil, unlimited())})
	if err != nil {
		return err
	}
	if err = s.Start(t.Context()); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, s.Addr("test"))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestOutOfFiles(t *testing.T) {
	t.Parallel()
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), filesEnv+"=1")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		if wait := child.Wait(); wait != nil {
			t.Error(wait)
		}
	}()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	addr = addr[:len(addr)-1]

	good := dial(t, addr)
	good.send("ECHO first\n")
	good.want("first")
	crowd := make([]net.Conn, 2*fewFiles) // the kernel accepts them, the server cannot
	for i := range crowd {
		if crowd[i], err = net.Dial("tcp", addr); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(crowd[i], "ECHO x\n")
	}
	served := 0
	for _, c := range crowd {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, _ := c.Read(make([]byte, 2)); n == 2 {
			served++
		}
	}
	if served == 0 || served >= fewFiles {
		t.Errorf("%d of the crowd were served with %d file descriptors", served, fewFiles)
	}
	good.send("ECHO still\n")
	good.want("still")
	for _, c := range crowd {
		_ = c.Close()
	}
	until(t, "a late device is served", func() bool { // the crowd's descriptors come back one by one
		late, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = late.Close() }()
		_, _ = io.WriteString(late, "ECHO late\n")
		_ = late.SetReadDeadline(time.Now().Add(time.Second))
		line, _ := bufio.NewReader(late).ReadString('\n')
		return line == "late\n"
	})
}
