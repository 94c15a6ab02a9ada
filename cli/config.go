package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/upstream"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, print it, list the keys",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheck(), newConfigPrint(), newConfigReference(), newConfigHocon())
	return cmd
}

func newConfigCheck() *cobra.Command {
	var (
		flags  configFlags
		strict bool
	)
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report all mistakes of a configuration, without starting anything",
		Args:  noFile,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tree, err := flags.load()
			if err != nil {
				return err
			}
			warnings := 0
			warn := func(w error) {
				warnings++
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			if err := check(tree, flags.baseDir(), warn); err != nil {
				return err
			}
			if strict && warnings > 0 {
				return fmt.Errorf("cli: %w: %d", errWarnings, warnings)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&strict, "strict", false, "take warnings, such as unknown keys, for mistakes")
	return cmd
}

// errWarnings ends a strict check.
var errWarnings = errors.New("there are warnings, which --strict does not allow")

// check reports the mistakes of a configuration; warn is called for what does
// not keep a bridge from running.
func check(tree *config.Tree, baseDir string, warn func(error)) error {
	n, err := newNode(tree, baseDir, zap.NewNop())
	err = errors.Join(checkLog(tree), err, decodePlatform(tree))
	if n != nil {
		for _, m := range n.devices.Mistakes() {
			warn(m)
		}
	}
	for _, w := range warnings(tree, err) {
		warn(w)
	}
	return err
}

// warnings are what keeps a bridge of the configuration from nothing. Beside the
// mistakes in err they leave out the sections of which these may be the reason
// that nobody has read them.
func warnings(tree *config.Tree, err error) config.Errors {
	if err == nil {
		return tree.Unused()
	}
	var gateway gatewaySettings
	_ = tree.Decode("", &gateway) // nobody asks for it when the platform is not known
	return slices.DeleteFunc(tree.Warnings(), func(w *config.Error) bool {
		return w.Hint == "" && tree.Sub(w.Key).Len() > 0
	})
}

// checkLog reports what is wrong with the section log beyond the types of its
// values, which newNode looks at.
func checkLog(tree *config.Tree) error {
	cfg := DefaultLogConfig()
	if err := tree.Decode("log", &cfg); err != nil {
		return nil //nolint:nilerr // newNode reports it, once is enough
	}
	var missing error
	if dir := filepath.Dir(cfg.Path); !strings.Contains(cfg.Path, "://") {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			missing = tree.Errorf("log.path", "there is no directory "+dir, "make it, writable for linkspan")
		}
	}
	cfg.Path = "stderr" // a check opens no log
	_, err := newLogger(cfg)
	return errors.Join(logErr(tree, err), missing)
}

// logErr says where in the configuration the mistakes of the section log are.
func logErr(tree *config.Tree, err error) error {
	return placed(tree, "log", err, []string{"cli"}, func(text string) (path, rest string) {
		return "log", strings.TrimPrefix(text, "log.")
	})
}

func newConfigReference() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "reference",
		Short: "List every key with its type, default and meaning",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := reference()
			text := m.Text()
			if markdown {
				text = m.Markdown()
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the page of the documentation")
	return cmd
}

// reference describes every key of this build, those of its plugins included.
func reference() *config.Manual {
	s := defaultSettings()
	var l listenerSettings
	l.SetDefaults()
	sections := []config.Section{
		{Path: "", Title: "The bridge at the platform", Doc: "At the top of the file, where the Java SDK has it.", Config: gatewaySettings{}},
		{Path: "log", Doc: "The process's log.", Config: s.Log},
		{Path: "admin", Doc: "Metrics and health.", Config: s.Admin},
		{Path: "shutdown", Doc: "The orderly end.", Config: s.Shutdown},
		{Path: "server", Doc: "What all listeners share.", Config: s.Server},
		{Path: "bridge", Doc: "Sessions, messages and commands.", Config: s.Bridge},
		{Path: "data", Doc: "What outlives the process.", Config: s.Data},
		{Path: "queue", Doc: "Messages on disk until the platform has them.", Config: s.Queue},
		{Path: "away", Doc: "Devices whose connection has broken, and that may be back soon; commands that wait for them.", Config: s.Away},
		{Path: "devices", Doc: "Which devices there are.", Config: s.Devices},
		{Path: "auth", Doc: "Local check of devices' own credentials, before the platform is asked.", Config: s.Auth},
	}
	for _, name := range slices.Sorted(maps.Keys(auth.Default)) {
		if name != "none" {
			sections = append(sections, config.Section{Path: "auth." + name, Doc: "The check " + name + ".", Config: auth.Default[name].Config})
		}
	}
	sections = append(sections, config.Section{Path: "attempts", Doc: "What becomes of devices and addresses that fail to log in.", Config: s.Attempts})
	sections = append(sections, config.Section{Path: "upstream", Doc: "The platform.", Config: s.Upstream})
	sections = append(sections, upstreamsReference()...)
	for _, name := range slices.Sorted(maps.Keys(upstream.Default)) {
		sections = append(sections, config.Section{Path: "upstream." + name, Doc: "The connector " + name + ".", Config: upstream.Default[name].Config})
	}
	sections = append(sections, config.Section{Path: "listeners[]", Doc: "Where devices connect, and what they speak.", Config: l})
	for _, name := range slices.Sorted(maps.Keys(protocol.Default)) {
		sections = append(sections, config.Section{Path: "listeners[]." + name, Doc: "The protocol " + name + ".", Config: protocol.Default[name].Config})
	}
	var java socketServerSettings
	java.SetDefaults()
	sections = append(sections, config.Section{Path: socketServer, Doc: "The listeners of the Java server SDK: one for each port.", Config: java})
	sections = append(sections, config.Section{Path: "platform", Doc: "The local platform: only `linkspan platform -c` reads it.", Config: platform.DefaultConfig()})
	return config.Reference(sections...)
}
