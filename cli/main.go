// Package cli is the linkspan command, importable so that a program with
// plugins of its own is ten lines long: see cmd/linkspan.
//
// The package assembles the rooms of linkspan into processes: it is the only
// one that reads configuration files into their structs, and the only one that
// prints and exits.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // listeners name the zones of terminals' clocks, and containers have no data base of them

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/config/hocon"
)

// Main runs the command line of the process and exits: with 0, with 1 when the
// command failed, with 2 when it was called wrongly.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a process that does not end
	err := Run(ctx, os.Args[1:])
	stop()
	if err != nil {
		var silent *silentError
		if !errors.As(err, &silent) {
			fmt.Fprintln(os.Stderr, "linkspan:", err)
		}
		var usage *usageError
		if errors.As(err, &usage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// Run runs one command line, without the program's name, until it is done or
// ctx ends, which is how Ctrl-C ends a command cleanly.
func Run(ctx context.Context, args []string) error {
	root := newRoot() //nolint:contextcheck // cobra hands the context to the command that runs
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "linkspan",
		Short:         "Bridge devices that speak anything over TCP to an IoT platform",
		Long:          "linkspan takes devices that IoT platforms do not speak to (JT/T 808 terminals, Modbus meters,\nGB/T 26875.3 fire panels, your own protocol), keeps a session for each, and carries each\nof them to its platform over MQTT or HTTP/2, both ways.\n\nTry it:  linkspan demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       Version(),
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newServe(), newDemo(), newPlatform(), newSimulate(), newDecode(), newAuthCommand(), newDevicesCommand(), newQueueCommand(), newNew(), newConfig(), newVersion())
	usageArgs(root)
	return root
}

// noCommand refuses the name of a command that does not exist.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("there is no command %q: did you mean %s?", args[0], strings.Join(like, " or "))
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// noFile refuses arguments, and says where a configuration is given that was
// meant by one.
func noFile(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if hocon.FormatOf(args[0]) != "" {
		return fmt.Errorf("%s takes no argument %q: use -c %s", cmd.CommandPath(), args[0], args[0])
	}
	return fmt.Errorf("%s takes no argument %q", cmd.CommandPath(), args[0])
}

// usageArgs makes wrong arguments of cmd and all below it usage errors.
func usageArgs(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := args(cmd, given); err != nil {
				return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageArgs(sub)
	}
}

// usageError is a command line that cannot be run as it is.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// silentError ends the process with a failure that was already told.
type silentError struct{ err error }

func (e *silentError) Error() string { return e.err.Error() }
func (e *silentError) Unwrap() error { return e.err }
