package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/config"
)

// configFlags are the flags of commands that read a configuration.
type configFlags struct {
	files   []string
	given   func() bool // whether files were named
	defines []string
}

func (f *configFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.files, "config", "c", []string{"application.conf"}, "configuration file (.conf, .json, .properties); repeatable, later ones override earlier ones; without it also application.json or .properties")
	f.given = func() bool { return cmd.Flags().Changed("config") }
	cmd.Flags().StringArrayVarP(&f.defines, "define", "D", nil, "override a key: -D log.level=debug, -D listeners.0.address=:7611; repeatable")
}

func (f *configFlags) load() (*config.Tree, error) {
	if !f.given() {
		f.files = defaultFiles(".", f.files)
	}
	tree, err := config.Loader{Paths: f.files, Defines: f.defines, Environ: os.Environ()}.Load()
	return tree, errors.Join(err, f.otherLoader(tree))
}

// otherLoader finds keys by which another loader's users choose the file. They are
// a warning in a tree, and a mistake without one.
func (f *configFlags) otherLoader(tree *config.Tree) (err error) {
	for _, key := range []string{"config.file", "config.resource", "config.url"} {
		const problem, hint = "does not choose the configuration", "name the file with -c: -c "
		if tree != nil {
			if tree.Has(key) {
				tree.Warn(tree.Errorf(key, problem, hint+tree.Text(key)))
			}
			continue
		}
		for _, d := range f.defines {
			if file, ok := strings.CutPrefix(d, key+"="); ok {
				err = errors.Join(err, &config.Error{File: "-D" + key, Key: key, Problem: problem, Hint: hint + file})
			}
		}
	}
	return err
}

// defaultFiles are the files when none is named: application.conf or, when there
// is none in dir, the first of the other formats that there is.
func defaultFiles(dir string, files []string) []string {
	for _, name := range []string{"application.conf", "application.json", "application.properties"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return []string{filepath.Join(dir, name)}
		}
	}
	return files
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
		Args: noFile,
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
		return logErr(tree, err)
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced
	limitMemory(memoryLimit(os.DirFS("/")))
	n, err := newNode(tree, baseDir, log)
	_ = decodePlatform(tree) // of another command, which reports its mistakes
	for _, w := range warnings(tree, err) {
		log.Warn("configuration", zap.NamedError("err", w))
	}
	if err != nil {
		return err
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
