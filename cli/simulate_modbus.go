package cli

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/simulate/modbus"
)

func newSimulateModbus() *cobra.Command {
	cfg := modbus.DefaultConfig()
	var asJSON bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "modbus",
		Short: "Run Modbus slaves behind modems against a bridge",
		Long: "Runs simulated modems that connect to a bridge, say who they are, send heartbeats, and have slaves behind them\n" +
			"that answer what they are asked. With --listen slaves wait instead for the bridge to connect to them. Slaves hold\n" +
			"what the CSV file of --image says; without one register n holds n. At the end, on Ctrl-C or after --duration, it\n" +
			"reports what was asked and answered.",
		Example: "linkspan simulate modbus --lines 100 --units 1-4 --target 127.0.0.1:7620 --duration 1m\n" +
			"linkspan simulate modbus --listen 127.0.0.1:1502 --mode tcp --image meter.csv",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleet, err := modbus.New(cfg)
			if err != nil {
				return &usageError{err}
			}
			if err = fleet.Listen(cmd.Context()); err != nil {
				return err
			}
			if addrs := fleet.Addrs(); len(addrs) > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "slaves wait on", strings.Join(addrs, ", "))
			}
			ctx, stop := context.WithCancel(cmd.Context())
			progress := make(chan struct{})
			go func() { // ended by stop, below
				defer close(progress)
				showModbusProgress(ctx, cmd, fleet, every)
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
				_, err = fmt.Fprint(cmd.OutOrStdout(), fleet.Report())
			}
			if err == nil && cfg.Listen == "" && fleet.Stats().Connects == 0 {
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

// showModbusProgress prints a line now and then until ctx ends.
func showModbusProgress(ctx context.Context, cmd *cobra.Command, fleet *modbus.Fleet, every time.Duration) {
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
			s := fleet.Stats()
			fmt.Fprintf(cmd.ErrOrStderr(), "%s  %d of %d connected, %d requests, %d answered, %d exceptions, %d writes\n",
				time.Now().Format("15:04:05"), s.Connected, s.Lines, s.Requests, s.Answers, s.Exceptions, s.Writes)
		}
	}
}
