package cli

import "github.com/spf13/cobra"

// Command is the command line as a tree: for programs that add subcommands of
// their own, and for tests that hold documentation against it. Unlike [Main] it
// neither watches for signals nor exits.
func Command() *cobra.Command { return newRoot() }
