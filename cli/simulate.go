package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/linkspan/linkspan/simulate/jt808"
)

func newSimulate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run a fleet of simulated devices",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSimulateJT808(), newSimulateModbus(), newSimulateGBT26875())
	return cmd
}

// errNoConnection is a simulation that reached nobody.
var errNoConnection = errors.New("cli: no connection could be made to")

func newSimulateJT808() *cobra.Command {
	cfg := jt808.DefaultConfig()
	var asJSON bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "jt808",
		Short: "Run a fleet of JT/T 808 terminals against a bridge",
		Long: "Runs simulated JT/T 808 terminals that register, authenticate, drive along routes, report positions, answer\n" +
			"commands and come back when their connection is lost. At the end, on Ctrl-C or after --duration, it reports\n" +
			"what was sent and acknowledged, and how long that took.",
		Example: "linkspan simulate jt808 --devices 1000 --rate 0.1 --target 127.0.0.1:7611 --duration 1m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleet, err := jt808.New(cfg)
			if err != nil {
				return &usageError{err}
			}
			ctx, stop := context.WithCancel(cmd.Context())
			progress := make(chan struct{})
			go func() { // ended by stop, below
				defer close(progress)
				showProgress(ctx, cmd, fleet, every)
			}()
			err = fleet.Run(ctx)
			stop()
			<-progress
			if err != nil {
				return err
			}
			if asJSON {
				err = showIndented(cmd.OutOrStdout(), fleet.Report())
			} else {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), fleet.Report())
			}
			if err == nil && fleet.Stats().Connects == 0 {
				err = fmt.Errorf("%w %s: is a bridge listening there?", errNoConnection, cfg.Target)
			}
			return err
		},
	}
	addFlags(cmd.Flags(), "", reflect.ValueOf(&cfg).Elem())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	cmd.Flags().DurationVar(&every, "every", 5*time.Second, "print a line of progress so often on standard error; 0: never")
	return cmd
}

// showProgress prints a line now and then until ctx ends.
func showProgress(ctx context.Context, cmd *cobra.Command, fleet *jt808.Fleet, every time.Duration) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fmt.Fprintln(cmd.ErrOrStderr(), progressLine(fleet))
		}
	}
}

// addFlags makes a flag of each field that has the tags of a configuration:
// ackTimeout becomes --ack-timeout, with the field's doc and present value.
func addFlags(flags *pflag.FlagSet, prefix string, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("conf"), ",")
		if key == "" {
			continue
		}
		name, doc := prefix+kebab(key), t.Field(i).Tag.Get("doc")
		switch p := v.Field(i).Addr().Interface().(type) {
		case *string:
			flags.StringVar(p, name, *p, doc)
		case *[]string:
			flags.StringSliceVar(p, name, *p, doc)
		case *int:
			flags.IntVar(p, name, *p, doc)
		case *uint64:
			flags.Uint64Var(p, name, *p, doc)
		case *float64:
			flags.Float64Var(p, name, *p, doc)
		case *bool:
			flags.BoolVar(p, name, *p, doc)
		case *time.Duration:
			flags.DurationVar(p, name, *p, doc)
		default:
			if v.Field(i).Kind() == reflect.Struct {
				addFlags(flags, name+"-", v.Field(i))
			}
		}
	}
}

func kebab(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// progressLine is what the fleet is doing, on one line.
func progressLine(fleet *jt808.Fleet) string {
	s := fleet.Stats()
	return fmt.Sprintf("%s  %d of %d online, %d reports, %d acknowledged, %d pending, %d commands, %d reconnects",
		time.Now().Format("15:04:05"), s.Online, s.Devices, s.Sent, s.Acked, s.Pending, s.Commands, s.Reconnects)
}
