package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/linkspan/linkspan/config/hocon"
)

func newConfigHocon() *cobra.Command {
	env := true
	cmd := &cobra.Command{
		Use:   "hocon FILE",
		Short: "Print any HOCON, JSON or properties file, resolved, as JSON",
		Long: "Reads a file (.json is JSON, .properties are Java properties, anything else is HOCON) with all that it\n" +
			"includes, replaces the substitutions and prints the result as JSON, in the order of the file.\n\n" +
			"It knows nothing of linkspan's keys: values are printed as they are, secrets too.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := hoconAsJSON(args[0], env)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().BoolVar(&env, "env", true, "let environment variables answer substitutions that no key answers; --env=false: do not")
	return cmd
}

// hoconAsJSON reads and resolves a file.
func hoconAsJSON(path string, env bool) ([]byte, error) {
	var opts hocon.Options
	if env {
		opts.LookupEnv = os.LookupEnv
	}
	doc, err := hocon.ParseFile(path, opts)
	if err != nil {
		return nil, err
	}
	root, err := doc.Resolve()
	if err != nil {
		return nil, err
	}
	text, err := root.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("cli: write %s as JSON: %w", path, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return nil, fmt.Errorf("cli: write %s as JSON: %w", path, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
