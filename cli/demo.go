package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/simulate/jt808"
)

type demoFlags struct {
	duration time.Duration
	devices  int
	rate     float64
	listen   string
	mqtt     string
	api      string
	admin    string
	check    bool
	plain    bool
	verbose  bool
}

func newDemo() *cobra.Command {
	var flags demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: a platform, the bridge, and simulated terminals in one process",
		Long: "Starts a local platform, a bridge with a JT/T 808 listener, and a few simulated vehicle terminals, and shows\n" +
			"what arrives at the platform. It needs nothing else and ends on Ctrl-C. While it runs, `linkspan platform`\n" +
			"and any MQTT client can look at the platform, and a terminal of your own can connect to the bridge.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), cmd.OutOrStdout(), flags) },
	}
	f := cmd.Flags()
	f.DurationVar(&flags.duration, "for", 0, "end after so long; 0: on Ctrl-C")
	f.IntVar(&flags.devices, "devices", 5, "simulated terminals")
	f.Float64Var(&flags.rate, "rate", 1, "position reports per second of each terminal")
	f.StringVar(&flags.listen, "listen", "127.0.0.1:7611", "where the bridge listens for terminals; a port that is taken is replaced by a free one")
	f.StringVar(&flags.mqtt, "mqtt", "127.0.0.1:1883", "where the platform's MQTT broker listens; likewise")
	f.StringVar(&flags.api, "api", "127.0.0.1:1884", "where the platform's API listens; likewise")
	f.StringVar(&flags.admin, "admin", "127.0.0.1:9180", "where the bridge serves metrics; likewise")
	f.BoolVar(&flags.check, "check", false, "fail unless every terminal's positions arrived and a command was answered")
	f.BoolVar(&flags.plain, "plain", false, "plain lines even on a terminal")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "log what the bridge and the platform do")
	return cmd
}

// demoProduct is the product of the simulated terminals at the platform.
const demoProduct = "demo"

// demoConfig is what an operator would write for this; it goes the same way.
const demoConfig = `
productKey   = demoGateway
deviceName   = bridge
deviceSecret = %[1]q
upstream { type = aliyun, aliyun { endpoint = "tcp://%[2]s", keepAlive = 60s } }
devices  { unknown = template, template { productKey = demo, deviceName = "${identity}", deviceSecret = %[3]q } }
listeners = [{
  name = terminals, protocol = jt808, address = %[4]q
  heartbeat { interval = 60s, probes = 2 }
  jt808 { ack = delivered }
}]
admin.address = %[5]q
`

func runDemo(ctx context.Context, out io.Writer, flags demoFlags) (err error) {
	if flags.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.duration)
		defer cancel()
	}
	fleetConfig := jt808.DefaultConfig()
	fleetConfig.Devices, fleetConfig.Rate = flags.devices, flags.rate
	if _, err = jt808.New(fleetConfig); err != nil { // before anything has been started
		return &usageError{err}
	}
	log := zap.NewNop()
	if flags.verbose {
		if log, err = newLogger(DefaultLogConfig()); err != nil {
			return err
		}
	}
	bridgeSecret, deviceSecret := auth.Secret(rand.Text()), auth.Secret(rand.Text())

	p, err := startDemoPlatform(ctx, flags, bridgeSecret, deviceSecret, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeWithin(ctx, p.Close)) }()

	tree, err := config.Parse("demo.conf", fmt.Sprintf(demoConfig, bridgeSecret.Reveal(), p.MQTTAddr(), deviceSecret.Reveal(),
		freeAddress(flags.listen), freeAddress(flags.admin)))
	if err != nil {
		return err
	}
	n, err := newNode(tree, ".", log)
	if err != nil {
		return err
	}
	n.stats = append(n.stats, admin.StatsOf(p))
	if err = n.start(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	defer func() { err = errors.Join(err, n.close(ctx)) }()

	fleetConfig.Target = n.addr("terminals").String()
	fleet, err := jt808.New(fleetConfig)
	if err != nil {
		return err
	}
	watch, err := p.Subscribe(platform.Filter{})
	if err != nil {
		return err
	}
	defer watch.Close()

	fmt.Fprintf(out, "platform  MQTT %s, API http://%s/api/v1\n", p.MQTTAddr(), p.APIAddr())
	fmt.Fprintf(out, "bridge    JT/T 808 on %s, metrics http://%s/metrics\n", n.addr("terminals"), n.admin.Addr())
	fmt.Fprintf(out, "fleet     %d simulated terminals, %g reports per second each\n\n", flags.devices, flags.rate)

	view := newDemoView(out, !flags.plain && isTerminal(out))
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return fleet.Run(ctx) })
	work.Go(func() error { return view.run(ctx, watch) })
	work.Go(func() error { return commandDemo(ctx, p, view) })
	if err := work.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", view.summary())
	if flags.check {
		return view.check(flags.devices)
	}
	return nil
}

func startDemoPlatform(ctx context.Context, flags demoFlags, bridgeSecret, deviceSecret auth.Secret, log *zap.Logger) (*platform.Platform, error) {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress = freeAddress(flags.mqtt), freeAddress(flags.api)
	cfg.AutoRegister, cfg.AutoSecret = true, deviceSecret
	cfg.SubDevices = max(cfg.SubDevices, flags.devices)
	cfg.Devices = []platform.Device{{ProductKey: "demoGateway", DeviceName: "bridge", DeviceSecret: bridgeSecret}}
	p, err := platform.New(cfg, platform.WithLogger(log.Named("platform")))
	if err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// closeWithin runs an orderly end after ctx has ended.
func closeWithin(ctx context.Context, end func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	return end(ctx)
}

// freeAddress is address, or one with a free port when that port is taken.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address) //nolint:noctx // a look, not a connection
	if err == nil {
		_ = l.Close() // it was only to see whether it can be had
		return address
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		return net.JoinHostPort(host, "0")
	}
	return address
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// demoCommands are told to one terminal after the other.
var demoCommands = []struct {
	name   string
	params map[string]any // nil: a property set
}{
	{"queryLocation", map[string]any{}},
	{"text", map[string]any{"text": "前方拥堵，请减速慢行"}},
	{"", map[string]any{"heartbeatInterval": 30}},
}

// commandDemo tells a terminal something every other second.
func commandDemo(ctx context.Context, p *platform.Platform, view *demoView) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		device := view.pick(i)
		if device == "" {
			continue
		}
		c := demoCommands[i%len(demoCommands)]
		name := c.name
		var r api.Result
		var err error
		if name == "" {
			name = "set heartbeatInterval"
			r, err = p.Set(ctx, demoProduct, device, c.params)
		} else {
			r, err = p.Invoke(ctx, demoProduct, device, name, c.params)
		}
		if ctx.Err() != nil {
			return nil // the end of the demo has cut it short, which says nothing about the device
		}
		view.commanded(device, name, r, err)
	}
}
