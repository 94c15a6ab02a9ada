package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/platform"
)

// platformFlags say how the local platform runs.
type platformFlags struct {
	file     string
	mqtt     string
	api      string
	auth     string
	data     string
	admin    string
	gateways []string
	strict   bool
	verbose  bool
}

func newPlatform() *cobra.Command {
	var flags platformFlags
	cmd := &cobra.Command{
		Use:   "platform",
		Short: "Run a local IoT platform, or talk to one",
		Long: "Runs a local platform that speaks like Alibaba Cloud IoT: an MQTT broker that checks signatures, topic\n" +
			"permissions, topology and logins of sub-devices, and an HTTP API to see and command devices. It is for\n" +
			"demonstrations, tests and labs, and keeps everything in memory, or with --data in a file.\n\n" +
			"The subcommands talk to the API of a platform that runs.",
		Args: noFile,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPlatform(cmd.Context(), cmd.OutOrStdout(), flags)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&flags.file, "config", "c", "", "configuration file; its section platform is read")
	f.StringVar(&flags.mqtt, "mqtt", "", "host:port of the MQTT broker (default 127.0.0.1:1883)")
	f.StringVar(&flags.api, "api", "", "host:port of the HTTP API (default 127.0.0.1:1884)")
	f.StringVar(&flags.auth, "auth", "", "host:port of the vendor's HTTP services: authentication, registration, the account's API (default nowhere)")
	f.StringVar(&flags.data, "data", "", "file that keeps devices, secrets, topology and last values from one start to the next (default none)")
	f.StringVar(&flags.admin, "admin", "", "host:port to serve /metrics, /healthz and /readyz on (default nowhere)")
	f.StringArrayVar(&flags.gateways, "gateway", nil, "PRODUCT/DEVICE:SECRET, a gateway device that exists from the start; repeatable")
	f.BoolVar(&flags.strict, "strict", false, "refuse devices that nobody has created, instead of creating them when they first appear")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "log what happens")
	cmd.AddCommand(newPlatformClient()...)
	return cmd
}

// errGateway says how a gateway is written.
var errGateway = errors.New("want PRODUCT/DEVICE:SECRET")

// config is what file and flags say, and the file itself; nil: there is none.
func (f *platformFlags) config() (cfg platform.Config, tree *config.Tree, err error) {
	cfg = platform.DefaultConfig()
	cfg.AutoRegister = !f.strict
	if f.file != "" {
		if tree, err = config.Load(f.file); err != nil {
			return cfg, nil, err
		}
		if err = tree.Decode("platform", &cfg); err != nil {
			return cfg, tree, err
		}
	}
	if f.mqtt != "" {
		cfg.MQTTAddress = f.mqtt
	}
	if f.api != "" {
		cfg.APIAddress = f.api
	}
	if f.auth != "" {
		cfg.AuthAddress = f.auth
	}
	if f.data != "" {
		cfg.Data = f.data
	}
	for _, g := range f.gateways {
		name, secret, ok := strings.Cut(g, ":")
		product, device, ok2 := strings.Cut(name, "/")
		if !ok || !ok2 {
			return cfg, nil, &usageError{fmt.Errorf("--gateway %q: %w", name, errGateway)}
		}
		cfg.Devices = append(cfg.Devices, platform.Device{ProductKey: product, DeviceName: device, DeviceSecret: auth.Secret(secret)})
	}
	return cfg, tree, nil
}

// unknownToPlatform are the keys of the section platform that nobody knows.
func unknownToPlatform(tree *config.Tree) config.Errors {
	if tree == nil {
		return nil
	}
	return slices.DeleteFunc(tree.Unused(), func(e *config.Error) bool { return !strings.HasPrefix(e.Key, "platform.") })
}

// platformElement is what mistakes of one of several begin with: devices[0].
var platformElement = regexp.MustCompile(`^([a-zA-Z]+)\[(\d+)\]: `)

// platformErrors says where in the file the mistakes are that the platform finds, and
// what keys it does not know, which may be the reason.
func platformErrors(tree *config.Tree, err error) error {
	if tree == nil || errors.Is(err, platform.ErrData) {
		return err
	}
	err = placed(tree, "platform", err, []string{"platform"}, func(text string) (path, rest string) {
		if m := platformElement.FindStringSubmatch(text); m != nil {
			if at := "platform." + m[1] + "." + m[2]; tree.Has(at) { // else it comes from a flag
				return at, text[len(m[0]):]
			}
		}
		return "platform", text
	})
	if unknown := unknownToPlatform(tree); unknown != nil {
		err = errors.Join(err, unknown)
	}
	return err
}

func runPlatform(ctx context.Context, out io.Writer, flags platformFlags) error {
	cfg, tree, err := flags.config()
	if err != nil {
		return err
	}
	logCfg := DefaultLogConfig()
	if !flags.verbose {
		logCfg.Level = "warn"
	}
	log, err := newLogger(logCfg)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced
	p, err := platform.New(cfg, platform.WithLogger(log.Named("platform")))
	if err != nil {
		return platformErrors(tree, err)
	}
	for _, e := range unknownToPlatform(tree) {
		log.Warn("configuration", zap.NamedError("err", e))
	}
	if err = p.Start(ctx); err != nil {
		return errors.Join(fmt.Errorf("%w; --mqtt and --api choose other addresses", err), closeWithin(ctx, p.Close))
	}
	door, err := admin.Start(ctx, admin.Config{Address: flags.admin}, log.Named("admin"), func() error { return nil }, admin.StatsOf(p))
	if err != nil {
		return errors.Join(err, closeWithin(ctx, p.Close))
	}
	fmt.Fprintf(out, "local platform: MQTT on %s, API on http://%s/api/v1\n", p.MQTTAddr(), p.APIAddr())
	for _, also := range []struct{ scheme, addr string }{{"ssl", p.TLSAddr()}, {"ws", p.WSAddr()}, {"wss", p.WSSAddr()}} {
		if also.addr != "" {
			fmt.Fprintf(out, "MQTT also on %s://%s\n", also.scheme, also.addr)
		}
	}
	for _, also := range []struct{ scheme, addr string }{{"http", p.HTTP2Addr()}, {"https", p.HTTP2TLSAddr()}} {
		if also.addr != "" {
			fmt.Fprintf(out, "HTTP/2 on %s://%s\n", also.scheme, also.addr)
		}
	}
	if addr := p.AuthAddr(); addr != "" {
		fmt.Fprintf(out, "authentication, registration and the account's API on %s\n", addr)
	}
	if door != nil {
		fmt.Fprintf(out, "metrics on http://%s/metrics\n", door.Addr())
	}
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err = errors.Join(p.Close(ctx), door.Close(ctx)); err != nil {
		log.Warn("local platform did not end in order", zap.NamedError("err", err))
	}
	return nil
}
