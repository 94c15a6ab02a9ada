package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/internal/scaffold"
	"github.com/linkspan/linkspan/protocol"
)

func newNew() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Begin a plugin of your own",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newNewPlugin())
	return cmd
}

func newNewPlugin() *cobra.Command {
	var dir, module, source string
	cmd := &cobra.Command{
		Use:   "plugin NAME",
		Short: "Write the files of a module with a device protocol in it",
		Long: "Writes a module of its own: a protocol of text lines that works, with decoder, encoder, adapter and tests, a\n" +
			"program that is linkspan with that protocol in it, and a configuration. Then it is yours to change.\n\n" +
			"NAME is what configurations call the protocol, and the name of the Go package: a word of lower-case letters\n" +
			"and digits. A maker's name before it, as in acme.meter, keeps it apart from protocols to come.",
		Example: "linkspan new plugin acme.meter --module example.com/acme\nlinkspan new plugin meter --dir plugins/meter --linkspan ../linkspan",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := scaffold.Plugin{Name: args[0], Module: module, Taken: protocol.Default.Names()}
			var err error
			if p.Linkspan, err = linkspanSource(source); err != nil {
				return &usageError{err}
			}
			if dir == "" {
				dir = p.Package()
			}
			files, err := p.Files(dir)
			if err != nil {
				return &usageError{err}
			}
			if err = scaffold.Write(dir, files); err != nil {
				return err
			}
			nextSteps(cmd.OutOrStdout(), p, dir, files)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write into; it is made and must be empty (default: the last word of NAME)")
	cmd.Flags().StringVar(&module, "module", "", "path of the new module (default: example.com/ and the first word of NAME)")
	cmd.Flags().StringVar(&source, "linkspan", "", "what to build against: a version, or the folder of a checkout (default: the checkout this runs in, or this build's version)")
	return cmd
}

// linkspanSource is where a plugin gets linkspan from unless asked says so: from
// the checkout that the user or the program is in, or the program's version.
func linkspanSource(asked string) (scaffold.Source, error) {
	if asked != "" {
		return scaffold.ParseSource(asked)
	}
	if path, ok := scaffold.Checkout("."); ok {
		return scaffold.Source{Path: path}, nil
	}
	if program, err := os.Executable(); err == nil {
		if path, ok := scaffold.Checkout(filepath.Dir(program)); ok {
			return scaffold.Source{Path: path}, nil
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if s, err := scaffold.ParseSource(m.Version); err == nil && m.Path == modulePath && m.Replace == nil && s.Version != "" {
				return s, nil
			}
		}
	}
	return scaffold.Source{}, scaffold.ErrNoSource
}

const modulePath = "github.com/linkspan/linkspan"

func nextSteps(w io.Writer, p scaffold.Plugin, dir string, files []scaffold.File) {
	fmt.Fprintf(w, "%s:\n", dir)
	for _, f := range files {
		fmt.Fprintf(w, "  %s\n", f.Name)
	}
	var tidy string
	if p.Linkspan.Version != "" {
		tidy = "go mod tidy\n  " // makes go.sum
	}
	if strings.ContainsAny(dir, " \t'\"") {
		dir = "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	fmt.Fprintf(w, "\nNext:\n  cd %s\n  %sgo test ./...\n  go build -o linkspan-%s .\n  ./linkspan-%s config check\n\nREADME.md goes on from there, docs/write-a-codec.md explains.\n",
		dir, tidy, p.Package(), p.Package())
}
