package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/bridge/queue/segment"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/datadir"
)

func newQueueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Look into the queue on the disk, export it, empty it",
		Long: "Looks into the queue of messages that wait for the platform or, with --dead, into those that the platform\n" +
			"will never take or, with --commands, into commands that wait for their device. stats, peek and export change\n" +
			"nothing and work beside a running bridge; purge needs it stopped.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQueueStats(), newQueuePeek(), newQueueExport(), newQueuePurge())
	return cmd
}

// queueFlags say which queue.
type queueFlags struct {
	config   configFlags
	data     string
	dead     bool
	commands bool
}

func (f *queueFlags) add(cmd *cobra.Command) {
	f.config.add(cmd)
	cmd.Flags().StringVar(&f.data, "data", "", "the data directory, in place of the configuration's; no configuration is needed then")
	cmd.Flags().BoolVar(&f.dead, "dead", false, "dead letters: messages that the platform will never take")
	cmd.Flags().BoolVar(&f.commands, "commands", false, "commands that wait for their device")
	cmd.MarkFlagsMutuallyExclusive("dead", "commands")
}

// place is where the log is, and the keys of its records.
func (f *queueFlags) place() (dir string, keys []auth.Secret, err error) {
	tree, err := f.load()
	if err != nil {
		return "", nil, err
	}
	data, cfg := datadir.DefaultConfig(), queue.DefaultConfig()
	if err = errors.Join(tree.Decode("data", &data), tree.Decode("queue", &cfg)); err != nil {
		return "", nil, err
	}
	dir, name := cfg.Directory, datadir.Queue
	switch {
	case f.dead:
		dir, name = cfg.Dead.Directory, datadir.Dead
	case f.commands:
		dir, name = "", datadir.Commands
	}
	switch {
	case f.data != "":
		data.Directory, dir = f.data, filepath.Join(f.data, name)
	case dir == "":
		beside(f.config.baseDir(), &data.Directory)
		dir = filepath.Join(data.Directory, name)
	default:
		beside(f.config.baseDir(), &dir)
		data.Directory = ""
	}
	if data.Directory != "" {
		if err = datadir.Check(data.Directory); err != nil {
			return "", nil, fmt.Errorf("cli: %w; name it with -c or --data", err)
		}
	}
	for _, k := range append([]auth.Secret{cfg.EncryptionKey}, cfg.FormerKeys...) {
		if k != "" {
			keys = append(keys, k)
		}
	}
	return dir, keys, nil
}

// load reads the configuration; with --data there need be none.
func (f *queueFlags) load() (*config.Tree, error) {
	if f.data != "" && !f.config.given() {
		if _, err := os.Stat(defaultFiles(".", f.config.files)[0]); errors.Is(err, fs.ErrNotExist) {
			return config.Loader{Defines: f.config.defines, Environ: os.Environ()}.Load()
		}
	}
	return f.config.load()
}

// view opens the log to look at it.
func (f *queueFlags) view() (dir string, v *segment.View, err error) {
	dir, keys, err := f.place()
	if err != nil {
		return "", nil, err
	}
	v, err = segment.OpenView(dir, keys...)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil, fmt.Errorf("cli: there is no queue in %s: nothing was ever stored there", dir)
	case errors.Is(err, segment.ErrWrongKey):
		return "", nil, fmt.Errorf("cli: %w: set queue.encryptionKey or queue.formerKeys to it", err)
	case err != nil:
		return "", nil, fmt.Errorf("cli: %w", err)
	}
	return dir, v, nil
}

func newQueuePurge() *cobra.Command {
	var (
		flags        queueFlags
		yes, damaged bool
	)
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Delete all messages of the queue, which are lost then",
		Long: "Deletes all messages of the queue, all dead letters with --dead, or all commands that wait with --commands,\n" +
			"whatever they are encrypted with. The bridge must be stopped. Without --yes it says what it would delete.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, _, err := flags.place()
			if err != nil {
				return err
			}
			if !yes {
				return fmt.Errorf("cli: this deletes all that waits in %s: look at it with linkspan queue stats, and say --yes", dir)
			}
			files, err := segment.Purge(dir, damaged)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("cli: there is no queue in %s: nothing was ever stored there", dir)
			}
			if errors.Is(err, segment.ErrLocked) {
				return fmt.Errorf("cli: %s is in use: stop the bridge first: %w", dir, err)
			}
			if err != nil {
				return fmt.Errorf("cli: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files deleted in %s\n", files, dir)
			return err
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "really delete")
	cmd.Flags().BoolVar(&damaged, "damaged", false, "delete files that were set aside as .damaged, too")
	return cmd
}
