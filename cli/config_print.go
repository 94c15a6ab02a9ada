package cli

import (
	"errors"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/platform"
)

func newConfigPrint() *cobra.Command {
	var (
		flags    configFlags
		resolved bool
	)
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print what a configuration comes to, and where each value is from",
		Long: "Prints what files, environment and definitions set, as HOCON; behind each key stands the file, line and\n" +
			"column, the variable or the definition that its value comes from. With --resolved it prints every key,\n" +
			"those that have their defaults too. Secrets are printed as ******.\n\n" +
			"Mistakes are reported as config check does, after what could be printed.",
		Args: noFile,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tree, err := flags.load()
			if err != nil {
				return err
			}
			// Decoding tells which variables are keys, and what is secret.
			_, err = newNode(tree, flags.baseDir(), zap.NewNop())
			err = errors.Join(err, decodePlatform(tree))
			write := tree.Write
			if resolved {
				write = tree.WriteResolved
			}
			return errors.Join(write(cmd.OutOrStdout(), true), err)
		},
	}
	flags.add(cmd)
	cmd.Flags().BoolVar(&resolved, "resolved", false, "print every key, with its default where it is not set")
	return cmd
}

// decodePlatform looks at the section of linkspan platform, which may stand in
// the same file as the rest.
func decodePlatform(tree *config.Tree) error {
	if !tree.Has("platform") {
		return nil
	}
	cfg := platform.DefaultConfig()
	return tree.Decode("platform", &cfg)
}
