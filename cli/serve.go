package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/config"
)

// configFlags are the flags of commands that read a configuration.
type configFlags struct {
	files   []string
	defines []string
}

func (f *configFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.files, "config", "c", []string{"application.conf"}, "configuration file (.conf, .json, .properties); repeatable, later ones override earlier ones")
	cmd.Flags().StringArrayVarP(&f.defines, "define", "D", nil, "override a key: -D log.level=debug, -D listeners.0.address=:7611; repeatable")
}

func (f *configFlags) load() (*config.Tree, error) {
	return config.Loader{Paths: f.files, Defines: f.defines, Environ: os.Environ()}.Load()
}

// baseDir is where relative paths of the configuration start.
func (f *configFlags) baseDir() string {
	if len(f.files) == 0 {
		return "."
	}
	return filepath.Dir(f.files[0])
}

func newServe() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Bridge devices to their platform until told to stop",
		Long: "Bridges devices to their platform, as application.conf says, until it gets SIGINT or SIGTERM; then it\n" +
			"stops taking connections, finishes what is under way, logs the devices out and ends. SIGHUP makes it\n" +
			"read the devices files and certificates again.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tree, err := flags.load()
			if err != nil {
				return err
			}
			return serve(cmd.Context(), tree, flags.baseDir())
		},
	}
	flags.add(cmd)
	return cmd
}

// serve runs a node until ctx ends.
func serve(ctx context.Context, tree *config.Tree, baseDir string) error {
	logCfg := DefaultLogConfig()
	if err := tree.Decode("log", &logCfg); err != nil {
		return err
	}
	log, err := newLogger(logCfg)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced
	n, err := newNode(tree, baseDir, log)
	if err != nil {
		return err
	}
	for _, w := range n.warnings {
		log.Warn("configuration", zap.NamedError("err", w))
	}
	_ = decodePlatform(tree) // of another command, which reports its mistakes
	for _, w := range tree.Unused() {
		log.Warn("configuration", zap.NamedError("err", w))
	}
	hangup := make(chan os.Signal, 1) // while one waits, another would do the same
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	n.reload.signals = hangup
	if err = n.start(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	log.Info("linkspan is ready", zap.String("version", Version()))
	notify(log, "READY=1")
	<-ctx.Done()
	notify(log, "STOPPING=1")
	log.Info("stopping", zap.Duration("duration", n.shutdown.Pause+n.shutdown.Timeout))
	err = n.close(ctx)
	log.Info("stopped")
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("cli: not everything ended within %s (shutdown.timeout): %w", n.shutdown.Timeout, err)
	}
	return err
}
