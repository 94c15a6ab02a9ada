//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// child is a server process as the generator sees it. It is used by one
// goroutine.
type child struct {
	name string
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

// start starts a role on the server's core.
func (b *bench) start(name, settings string) (*child, error) {
	return b.startOn(b.serverCPU, name, settings)
}

func (b *bench) startOn(core *unix.CPUSet, name, settings string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, cmd: exec.CommandContext(b.ctx, self)} //nolint:gosec // it is this program
	c.cmd.Env = append(os.Environ(), roleEnv+"="+name+" "+settings)
	c.cmd.Stderr = b.progress
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err = onCore(core, b.loadCPU, c.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s, err := c.read()
	if err != nil {
		return nil, errors.Join(err, c.end())
	}
	c.addr = s.Addr
	return c, nil
}

func (c *child) read() (state, error) {
	var s state
	line, err := c.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	if err == nil && s.Error != "" {
		err = errors.New(s.Error)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", c.name, err)
	}
	return s, nil
}

// ask tells the server something and waits for the answer.
func (c *child) ask(question string) (state, error) {
	if _, err := io.WriteString(c.in, question+"\n"); err != nil {
		return state{}, fmt.Errorf("%s: %w", c.name, err)
	}
	return c.read()
}

// end ends the server.
func (c *child) end() error {
	_ = c.in.Close() // tells it
	stop := time.AfterFunc(15*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer stop.Stop()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// endAll ends servers.
func endAll(all []*child) error {
	var errs []error
	for _, c := range all {
		if c != nil {
			errs = append(errs, c.end())
		}
	}
	return errors.Join(errs...)
}
