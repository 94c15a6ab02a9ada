package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/internal/datadir"
)

func newDevicesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "Look devices up as the bridge does",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDevicesFind())
	return cmd
}

func newDevicesFind() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "find NAME|PRODUCT/DEVICE",
		Short: "Say which certificate a device has, or which device has a certificate",
		Long: "Says which certificate the device of that name has, and where that stands; or which device has the\n" +
			"certificate PRODUCT/DEVICE. It changes nothing: a device that would get a certificate of the pool when it\n" +
			"comes for the first time is unknown. Secrets are not shown.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tree, err := flags.load()
			if err != nil {
				return err
			}
			cfg, data, stored := devices.DefaultConfig(), datadir.DefaultConfig(), queue.DefaultConfig()
			if err = errors.Join(tree.Decode("devices", &cfg), tree.Decode("data", &data), tree.Decode("queue", &stored)); err != nil {
				return err
			}
			secrets := secretsDir(tree, data, stored.Mode, flags.baseDir())
			known, err := newDevices(cfg, tree, flags.baseDir(), secrets, zap.NewNop(), func(error) {})
			if err != nil {
				return err
			}
			text, err := findDevice(known, cfg.Unknown, args[0])
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			}
			return errors.Join(err, known.Close())
		},
	}
	flags.add(cmd)
	return cmd
}

// findDevice looks what up as a device's own name, and then as a certificate.
func findDevice(known *devices.Catalog, policy, what string) (string, error) {
	name := what
	id, ok := known.Peek(what)
	if product, device, slash := strings.Cut(what, "/"); !ok && slash {
		if name, ok = known.Name(auth.Identity{ProductKey: product, DeviceName: device}); ok {
			id, ok = known.Peek(name)
		}
	}
	if !ok && policy != devices.PolicyFirstFree { // a server may know it; and it says where nobody knows it
		var err error
		if id, err = known.Identity(what); err != nil {
			return "", fmt.Errorf("cli: %w", err)
		}
		name, ok = what, true
	}
	if !ok {
		return "", fmt.Errorf("cli: %q: %w", what, devices.ErrUnknown)
	}
	secret := "without a secret"
	if id.DeviceSecret != "" {
		secret = "with a secret"
	}
	text := fmt.Sprintf("%s is %s, %s", name, id, secret)
	if file, line, listed := known.Where(name); listed {
		text += fmt.Sprintf(", at %s:%d", file, line)
	}
	return text, nil
}
