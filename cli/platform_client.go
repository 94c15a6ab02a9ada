package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/platform/api"
)

// platformCommand is one subcommand that talks to a platform's API.
type platformCommand struct {
	use, short, example string
	args                cobra.PositionalArgs
	run                 func(*cobra.Command, *api.Client, []string) error
	flags               func(*cobra.Command)
}

// newPlatformClient makes the subcommands that talk to a platform that runs.
func newPlatformClient() []*cobra.Command {
	var all []*cobra.Command
	for _, c := range []platformCommand{
		{use: "devices", short: "List the devices", args: cobra.NoArgs, run: listDevices, flags: func(cmd *cobra.Command) {
			cmd.Flags().Bool("online", false, "only those that are online")
		}},
		{use: "device PRODUCT/DEVICE", short: "Show one device with its properties and last events", args: cobra.ExactArgs(1), run: showDevice},
		{use: "watch [PRODUCT/DEVICE]", short: "Show what arrives, as it arrives", args: cobra.MaximumNArgs(1), run: watch, flags: func(cmd *cobra.Command) {
			cmd.Flags().StringSlice("kind", nil, "only these: property, event, raw, reply, command, custom, online, offline, refused")
			cmd.Flags().Bool("json", false, "print one JSON object per message")
		}},
		{use: "set PRODUCT/DEVICE NAME=VALUE... | JSON", short: "Set properties of a device and wait for its answer", args: cobra.MinimumNArgs(2), example: "linkspan platform set demo/13800138001 heartbeatInterval=30", run: setProperties, flags: waitFlag},
		{use: "get PRODUCT/DEVICE [NAME...]", short: "Ask a device for properties", args: cobra.MinimumNArgs(1), run: getProperties, flags: waitFlag},
		{use: "invoke PRODUCT/DEVICE SERVICE [NAME=VALUE... | JSON]", short: "Invoke a service of a device and wait for its answer", args: cobra.MinimumNArgs(2), example: "linkspan platform invoke demo/13800138001 text text='Turn left'", run: invoke, flags: func(cmd *cobra.Command) {
			waitFlag(cmd)
			cmd.Flags().Bool("sync", false, "call it by RRPC, as services are whose call is synchronous")
		}},
		{use: "disable PRODUCT/DEVICE", short: "End a device's session and refuse its logins", args: cobra.ExactArgs(1), run: manage(api.Disable)},
		{use: "enable PRODUCT/DEVICE", short: "Let a disabled device log in again", args: cobra.ExactArgs(1), run: manage(api.Enable)},
		{use: "kick PRODUCT/DEVICE", short: "End a device's session", args: cobra.ExactArgs(1), run: manage(api.Kick)},
		{use: "delete PRODUCT/DEVICE", short: "Delete a device: end its session, forget what it said and its topology, and refuse its logins; it is listed as deleted, and add brings it back", args: cobra.ExactArgs(1), run: manage(api.Delete)},
		{use: "add PRODUCT/DEVICE SECRET", short: "Create a device, or give one another secret", args: cobra.ExactArgs(2), run: addDevice, flags: func(cmd *cobra.Command) {
			cmd.Flags().String("gateway", "", "PRODUCT/DEVICE of the gateway whose topology it is in")
		}},
		{use: "raw PRODUCT/DEVICE HEX", short: "Send bytes to a device and wait for its answer, of which raw is the bytes in base64", args: cobra.ExactArgs(2), example: "linkspan platform raw demo/13800138001 8104", run: sendRaw, flags: waitFlag},
		{use: "rrpc PRODUCT/DEVICE TEXT", short: "Send a device a text by RRPC and wait for its answer, 8 seconds at most; linkspan answers Alink requests", args: cobra.ExactArgs(2), example: `linkspan platform rrpc demo/13800138001 '{"id":"1","version":"1.0","method":"thing.service.queryLocation","params":{}}'`, run: sendRRPC, flags: waitFlag},
		{use: "publish PRODUCT/DEVICE TOPIC PAYLOAD", short: "Publish something to a device under a topic of its own", args: cobra.ExactArgs(3), example: "linkspan platform publish demo/truck-1 /demo/truck-1/user/get hello", run: publishTo},
		{use: "shadow PRODUCT/DEVICE [NAME=VALUE... | JSON]", short: "Show a device's shadow, or ask the device to be otherwise", args: cobra.MinimumNArgs(1), run: shadow},
		{use: "notify PRODUCT/GATEWAY PRODUCT/DEVICE...", short: "Ask a gateway to add devices to its topology", args: cobra.MinimumNArgs(2), run: notifyTopology},
		{use: "disconnect PRODUCT/DEVICE | all", short: "Close the connection of a device, or all of them, without a word", args: cobra.ExactArgs(1), run: disconnect},
		{use: "fault ACTION", short: "Do something wrong on purpose: refuse, throttle, delay, silent, lose, noAck, duplicate, disconnect or halfOpen", args: cobra.ExactArgs(1), example: "linkspan platform fault refuse --method combine.login --code 429 --count 3", run: addFault, flags: faultFlags},
		{use: "faults", short: "List what is done wrong on purpose", args: cobra.NoArgs, run: listFaults, flags: func(cmd *cobra.Command) {
			cmd.Flags().String("remove", "", "take the fault with this ID away")
			cmd.Flags().Bool("clear", false, "take all of them away")
		}},
		{use: "log", short: "Show the last notable happenings", args: cobra.NoArgs, run: showLog},
		{use: "stats", short: "Show the platform's counters", args: cobra.NoArgs, run: showStats},
	} {
		cmd := &cobra.Command{Use: c.use, Short: c.short, Example: c.example, Args: c.args}
		server := cmd.Flags().String("api", "http://127.0.0.1:1884", "the platform's API")
		if c.flags != nil {
			c.flags(cmd)
		}
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			client := api.NewClient(*server)
			defer client.Close()
			return c.run(cmd, client, args)
		}
		all = append(all, cmd)
	}
	return all
}

func waitFlag(cmd *cobra.Command) {
	cmd.Flags().Duration("wait", 10*time.Second, "how long to wait for the device's answer; 0: not at all, the command is only sent")
}

// waitOf is what --wait says.
func waitOf(cmd *cobra.Command) time.Duration {
	wait, _ := cmd.Flags().GetDuration("wait") // the flag is there
	if wait <= 0 {
		return api.NoWait
	}
	return wait
}

// errDevice says how a device is written.
var errDevice = errors.New("want PRODUCT/DEVICE, as `linkspan platform devices` lists them")

func deviceArg(arg string) (product, device string, err error) {
	product, device, ok := strings.Cut(arg, "/")
	if !ok || product == "" || device == "" {
		return "", "", &usageError{fmt.Errorf("%q: %w", arg, errDevice)}
	}
	return product, device, nil
}

// paramsArg reads NAME=VALUE pairs, or one JSON object. A value that is JSON is
// taken as such, any other as a text.
func paramsArg(args []string) (map[string]any, error) {
	params := map[string]any{}
	if len(args) == 1 && strings.HasPrefix(strings.TrimSpace(args[0]), "{") {
		if err := json.Unmarshal([]byte(args[0]), &params); err != nil {
			return nil, &usageError{fmt.Errorf("parameters are not JSON: %w", err)}
		}
		return params, nil
	}
	for _, a := range args {
		name, text, ok := strings.Cut(a, "=")
		if !ok || name == "" {
			return nil, &usageError{fmt.Errorf("parameter %q: want NAME=VALUE or one JSON object", a)}
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		params[name] = value
	}
	return params, nil
}

func listDevices(cmd *cobra.Command, c *api.Client, _ []string) error {
	var online *bool
	if cmd.Flags().Changed("online") {
		only, _ := cmd.Flags().GetBool("online") // the flag is there
		online = &only
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tSTATE\tSINCE\tLAST SEEN\tMESSAGES\tGATEWAY")
	for offset := 0; ; {
		page, err := c.Devices(cmd.Context(), online, offset, 0)
		if err != nil {
			return err
		}
		for i := range page.Devices {
			d := &page.Devices[i]
			fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\t%d\t%s\n", d.ProductKey, d.DeviceName, d.State, clock(d.Since), clock(d.LastSeen), d.Counters.Messages, d.Gateway)
		}
		offset += len(page.Devices)
		if len(page.Devices) == 0 || offset >= page.Total {
			return w.Flush()
		}
	}
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("01-02 15:04:05")
}

func showDevice(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	d, err := c.Device(cmd.Context(), product, device)
	if err != nil {
		return err
	}
	return showIndented(cmd.OutOrStdout(), d)
}

func showIndented(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func watch(cmd *cobra.Command, c *api.Client, args []string) error {
	var s api.Selection
	if len(args) > 0 {
		var err error
		if s.ProductKey, s.DeviceName, err = deviceArg(args[0]); err != nil {
			return err
		}
	}
	s.Kinds, _ = cmd.Flags().GetStringSlice("kind") // the flag is there
	asJSON, _ := cmd.Flags().GetBool("json")        // likewise
	out := cmd.OutOrStdout()
	return c.Watch(cmd.Context(), s, nil, func(m api.Message) error {
		if asJSON {
			return json.NewEncoder(out).Encode(m)
		}
		_, err := fmt.Fprintln(out, messageLine(m))
		return err
	})
}

// topicOf is the topic that a refusal is about.
func topicOf(m api.Message) string {
	if m.Kind != api.KindRefused {
		return ""
	}
	return m.Topic
}

// messageLine is a message on one line for people.
func messageLine(m api.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-8s  %s/%s", m.Time.Local().Format("15:04:05.000"), m.Kind, m.ProductKey, m.DeviceName)
	for _, s := range []string{m.Name, string(m.Data), m.Cause, topicOf(m)} {
		if s != "" {
			b.WriteString("  " + s)
		}
	}
	if len(m.Raw) > 0 {
		fmt.Fprintf(&b, "  %x", m.Raw)
	}
	if m.Code != 0 {
		fmt.Fprintf(&b, "  code %d", m.Code)
	}
	return b.String()
}

func setProperties(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	params, err := paramsArg(args[1:])
	if err != nil {
		return err
	}
	return showResult(cmd)(c.Set(cmd.Context(), product, device, params, waitOf(cmd)))
}

func getProperties(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	return showResult(cmd)(c.Get(cmd.Context(), product, device, args[1:], waitOf(cmd)))
}

func invoke(cmd *cobra.Command, c *api.Client, args []string) error {
	product, device, err := deviceArg(args[0])
	if err != nil {
		return err
	}
	params, err := paramsArg(args[2:])
	if err != nil {
		return err
	}
	if sync, _ := cmd.Flags().GetBool("sync"); sync { // the flag is there
		return showResult(cmd)(c.InvokeSync(cmd.Context(), product, device, args[1], params, waitOf(cmd)))
	}
	return showResult(cmd)(c.Invoke(cmd.Context(), product, device, args[1], params, waitOf(cmd)))
}

// showResult prints how a command ended; one that was not done is a failure.
func showResult(cmd *cobra.Command) func(api.Result, error) error {
	return func(r api.Result, err error) error {
		if err != nil {
			return err
		}
		if err := showIndented(cmd.OutOrStdout(), r); err != nil {
			return err
		}
		if r.State != "done" && r.State != "sent" {
			return fmt.Errorf("cli: the command ended as %q", r.State)
		}
		return nil
	}
}

func manage(a api.Action) func(*cobra.Command, *api.Client, []string) error {
	return func(cmd *cobra.Command, c *api.Client, args []string) error {
		product, device, err := deviceArg(args[0])
		if err != nil {
			return err
		}
		d, err := c.Manage(cmd.Context(), product, device, a)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s/%s is %s\n", d.ProductKey, d.DeviceName, d.State)
		return nil
	}
}

func showStats(cmd *cobra.Command, c *api.Client, _ []string) error {
	s, err := c.Stats(cmd.Context())
	if err != nil {
		return err
	}
	return showIndented(cmd.OutOrStdout(), s)
}
