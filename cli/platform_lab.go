package cli

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/platform/api"
)

func addDevice(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	gateway, _ := cmd.Flags().GetString("gateway") // the flag is there
	d, err := c.AddDevice(cmd.Context(), product, device, args[1], gateway)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s/%s is %s\n", d.ProductKey, d.DeviceName, d.State)
	return nil
}

func sendRaw(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(strings.ReplaceAll(args[1], " ", ""), "0x"))
	if err != nil || len(raw) == 0 {
		return &usageError{fmt.Errorf("%q: want bytes as hexadecimal digits, like 01a2", args[1])} //nolint:err113 // said to a person
	}
	return showResult(cmd)(c.SendRaw(cmd.Context(), product, device, raw, waitOf(cmd)))
}

func sendRRPC(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	return showResult(cmd)(c.RRPC(cmd.Context(), product, device, []byte(args[1]), waitOf(cmd)))
}

func publishTo(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	return showResult(cmd)(c.Publish(cmd.Context(), product, device, args[1], []byte(args[2])))
}

func shadow(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	var text json.RawMessage
	if len(args) == 1 {
		text, err = c.Shadow(cmd.Context(), product, device)
	} else {
		var desired map[string]any
		if desired, err = paramsArg(args[1:]); err != nil {
			return err
		}
		text, err = c.Desire(cmd.Context(), product, device, desired)
	}
	if err != nil {
		return err
	}
	return showIndented(cmd.OutOrStdout(), text)
}

func notifyTopology(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	return showResult(cmd)(c.NotifyTopology(cmd.Context(), product, device, args[1:]))
}

func disconnect(cmd *cobra.Command, c *api.Client, args []string) error {
	_, err := c.SetFaults(cmd.Context(), api.Faults{Disconnect: args[0]})
	return err
}

func faultFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("method", "", "what is struck: connect, subscribe, combine.login, thing.event.property.post, thing.topo.*, ...")
	f.String("topic", "", "or by an MQTT topic filter")
	f.String("device", "", "PRODUCT/DEVICE that it is about")
	f.String("product", "", "product of that device")
	f.String("gateway", "", "PRODUCT/DEVICE whose connection carries it")
	f.Int("code", 0, "refuse, throttle: a code of the vendor's; for connect 1 to 5")
	f.String("message", "", "refuse, throttle: text behind the code's own")
	f.Duration("delay", 0, "delay: how long")
	f.Float64("rate", 0, "throttle: per second")
	f.Int("count", 0, "how often it strikes; 0: always")
	f.Duration("for", 0, "how long it lasts; 0: until it is taken away")
	f.Float64("probability", 1, "of striking, above 0 and up to 1")
}

func addFault(cmd *cobra.Command, c *api.Client, args []string) error {
	f := cmd.Flags() // all of them are there
	text := func(name string) string { s, _ := f.GetString(name); return s }
	number := func(name string) int { n, _ := f.GetInt(name); return n }
	span := func(name string) api.Duration { d, _ := f.GetDuration(name); return api.Duration(d) }
	float := func(name string) float64 { x, _ := f.GetFloat64(name); return x }
	added, err := c.AddFault(cmd.Context(), api.Fault{
		Action: args[0], Method: text("method"), Topic: text("topic"), Device: text("device"), Product: text("product"), Gateway: text("gateway"),
		Code: number("code"), Message: text("message"), Delay: span("delay"), Rate: float("rate"),
		Count: number("count"), For: span("for"), Probability: float("probability"),
	})
	if err != nil {
		return err
	}
	return showIndented(cmd.OutOrStdout(), added)
}

func listFaults(cmd *cobra.Command, c *api.Client, _ []string) error {
	if all, _ := cmd.Flags().GetBool("clear"); all { // the flag is there
		return c.ClearFaults(cmd.Context())
	}
	if id, _ := cmd.Flags().GetString("remove"); id != "" { // likewise
		was, err := c.RemoveFault(cmd.Context(), id)
		if err != nil {
			return err
		}
		return showIndented(cmd.OutOrStdout(), was)
	}
	list, err := c.FaultRules(cmd.Context())
	if err != nil {
		return err
	}
	set, err := c.Faults(cmd.Context())
	if err != nil {
		return err
	}
	return showIndented(cmd.OutOrStdout(), struct {
		Rules []api.Fault `json:"rules"`
		Set   api.Faults  `json:"set"`
	}{list, set})
}

func showLog(cmd *cobra.Command, c *api.Client, _ []string) error {
	list, err := c.Log(cmd.Context())
	if err != nil {
		return err
	}
	for _, m := range list {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), m.Time.Local().Format(time.DateOnly), messageLine(m)); err != nil {
			return err
		}
	}
	return nil
}
