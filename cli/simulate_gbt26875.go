package cli

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/simulate/gbt26875"
)

func newSimulateGBT26875() *cobra.Command {
	cfg := gbt26875.DefaultConfig()
	var asJSON bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "gbt26875",
		Short: "Run a fleet of GB/T 26875.3 fire alarm panels against a bridge",
		Long: "Runs simulated user information transmission devices of GB/T 26875.3 that tell the states of detectors and tanks,\n" +
			"raise fires and faults by chance or by --script, repeat what is not confirmed, do what they are told and answer\n" +
			"what they are asked. At the end, on Ctrl-C or after --duration, it reports what was sent and confirmed, and how\n" +
			"long that took.",
		Example: "linkspan simulate gbt26875 --devices 1000 --rate 0.05 --fires 6 --target 127.0.0.1:5200 --duration 1m",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleet, err := gbt26875.New(cfg)
			if err != nil {
				return &usageError{err}
			}
			ctx, stop := context.WithCancel(cmd.Context())
			progress := make(chan struct{})
			go func() { // ended by stop, below
				defer close(progress)
				showGBT26875Progress(ctx, cmd, fleet, every)
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

// showGBT26875Progress prints a line now and then until ctx ends.
func showGBT26875Progress(ctx context.Context, cmd *cobra.Command, fleet *gbt26875.Fleet, every time.Duration) {
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
			fmt.Fprintf(cmd.ErrOrStderr(), "%s  %d of %d connected, %d reports, %d confirmed, %d pending, %d fires, %d commands, %d reconnects\n",
				time.Now().Format("15:04:05"), s.Connected, s.Devices, s.Sent, s.Acked, s.Pending, s.Fires, s.Commands, s.Reconnects)
		}
	}
}
