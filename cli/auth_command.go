package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/term"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/hmactoken"
	"github.com/linkspan/linkspan/auth/static"
	"github.com/linkspan/linkspan/config/hocon"
)

func newAuthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "auth",
		Short: "Make hashes and tokens for devices' credentials, try a check",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuthHash(), newAuthToken(), newAuthCheck())
	return cmd
}

func newAuthHash() *cobra.Command {
	var (
		algorithm      string
		cost           int
		memory, passes uint32
		threads        uint8
	)
	cmd := &cobra.Command{
		Use:   "hash [IDENTITY]",
		Short: "Hash a secret for the file of auth.type = static",
		Long: "Reads a secret, one line, and prints its hash; with the device's name in front when it is given. On a\n" +
			"terminal the secret is not shown.",
		Example: "  openssl rand -base64 24 | tee secret.txt | linkspan auth hash 13800138001 >> secrets.txt",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if algorithm != "bcrypt" && algorithm != "argon2id" {
				return &usageError{fmt.Errorf("--algorithm %q: %w", algorithm, errAlgorithm)}
			}
			if len(args) > 0 {
				if err := static.CheckIdentity(args[0]); err != nil {
					return err
				}
			}
			secrets, err := readSecrets(cmd, "secret: ", 1)
			if err != nil {
				return err
			}
			var hash string
			if algorithm == "bcrypt" {
				hash, err = static.HashBcrypt(secrets[0], cost)
			} else {
				hash, err = static.HashArgon2id(secrets[0], memory, passes, threads)
			}
			if err != nil {
				return err
			}
			if len(args) > 0 {
				hash = args[0] + ":" + hash
			}
			fmt.Fprintln(cmd.OutOrStdout(), hash)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&algorithm, "algorithm", "bcrypt", "bcrypt or argon2id")
	f.IntVar(&cost, "cost", 10, "of bcrypt, 4 to 31; each one more doubles the time of a check")
	f.Uint32Var(&memory, "memory", 19456, "of argon2id, in KiB")
	f.Uint32Var(&passes, "passes", 2, "of argon2id")
	f.Uint8Var(&threads, "threads", 1, "of argon2id")
	return cmd
}

var errAlgorithm = errors.New("want bcrypt or argon2id")

// readSecrets reads up to most lines from the standard input: without an echo
// when that is a terminal. At least one has to be there.
func readSecrets(cmd *cobra.Command, prompt string, most int) ([]auth.Secret, error) {
	if f, ok := cmd.InOrStdin().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return nil, fmt.Errorf("cli: auth: read the secret: %w", err)
		}
		return []auth.Secret{auth.Secret(line)}, nil
	}
	var all []auth.Secret
	lines := bufio.NewScanner(io.LimitReader(cmd.InOrStdin(), 1<<20))
	for len(all) < most && lines.Scan() {
		all = append(all, auth.Secret(strings.TrimSuffix(lines.Text(), "\r")))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cli: auth: read the secret: %w", err)
	}
	if len(all) == 0 {
		return nil, errNoSecret
	}
	return all, nil
}

var errNoSecret = errors.New("cli: auth: the standard input has no line: give the secret there, not on the command line")

func newAuthToken() *cobra.Command {
	var (
		flags    configFlags
		id       string
		lifetime = lifetimeFlag(365 * 24 * time.Hour)
	)
	cmd := &cobra.Command{
		Use:   "token IDENTITY...",
		Short: "Sign tokens for auth.type = token",
		Long: "Prints a token for the device of that name, signed with the first key of auth.token.keys of the\n" +
			"configuration, or with the one that --key names. For several devices it prints a line for each: its\n" +
			"name, a blank, its token.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if time.Duration(lifetime) < time.Second {
				return &usageError{fmt.Errorf("--lifetime %s: want 1s or more", lifetime.String())}
			}
			tree, err := flags.load()
			if err != nil {
				return err
			}
			cfg := hmactoken.DefaultConfig()
			if err = tree.Decode("auth.token", &cfg); err != nil {
				return err
			}
			if _, err = hmactoken.New(cfg); err != nil {
				return placed(tree, "auth.token", err, authRooms, nil)
			}
			key := cfg.Keys[0]
			if id != "" {
				if key, err = keyOf(cfg, id); err != nil {
					return err
				}
			}
			expiry := time.Now().Add(time.Duration(lifetime))
			for _, identity := range args {
				text, err := key.Sign(identity, expiry)
				if err != nil {
					return err
				}
				if len(args) > 1 {
					text = identity + " " + text
				}
				fmt.Fprintln(cmd.OutOrStdout(), text)
			}
			return nil
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&id, "key", "", "id of the key that signs (default: the first)")
	cmd.Flags().Var(&lifetime, "lifetime", "how long the tokens are good, as in 30d or 12h")
	return cmd
}

// lifetimeFlag is a duration as configurations have it, or as Go does.
type lifetimeFlag time.Duration

// Set implements pflag.Value.
func (l *lifetimeFlag) Set(text string) error {
	d, err := hocon.ParseDuration(text)
	if err != nil {
		if d, err = time.ParseDuration(text); err != nil {
			return errLifetime
		}
	}
	*l = lifetimeFlag(d)
	return nil
}

var errLifetime = errors.New("want a number and one of s, m, h, d, as in 30d")

// String implements pflag.Value.
func (l *lifetimeFlag) String() string {
	if d := time.Duration(*l); d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return time.Duration(*l).String()
}

// Type implements pflag.Value.
func (*lifetimeFlag) Type() string { return "duration" }

func keyOf(cfg hmactoken.Config, id string) (hmactoken.Key, error) {
	var known []string
	for _, k := range cfg.Keys {
		if k.ID == id {
			return k, nil
		}
		known = append(known, k.ID)
	}
	return hmactoken.Key{}, &usageError{fmt.Errorf("--key %q: auth.token.keys has %s", id, strings.Join(known, ", "))}
}

// maxCredentials is how many credentials linkspan auth check takes.
const maxCredentials = 16

func newAuthCheck() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "check IDENTITY",
		Short: "Try credentials as a bridge of this configuration would",
		Long: "Reads a device's credentials, one on a line, and asks the check of credentials that the configuration\n" +
			"chooses. It prints ok, or ends with the reason. On a terminal it reads one credential, without showing it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tree, err := flags.load()
			if err != nil {
				return err
			}
			settings := defaultSettings()
			if err = tree.Decode("auth", &settings.Auth); err != nil {
				return err
			}
			if err = tree.Decode("bridge", &settings.Bridge); err != nil {
				return err
			}
			provider, err := newAuth(settings.Auth, tree, flags.baseDir(), zap.NewNop(), func(error) {})
			if err != nil {
				return err
			}
			defer func() { _ = closeAuth(provider) }()
			secrets, err := readSecrets(cmd, "credential: ", maxCredentials)
			if err != nil {
				return err
			}
			credentials := make([]string, len(secrets))
			for i, s := range secrets {
				credentials[i] = s.Reveal()
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), settings.Bridge.AuthTimeout)
			defer cancel()
			if err := provider.Authenticate(ctx, args[0], credentials); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "ok")
			return nil
		},
	}
	flags.add(cmd)
	return cmd
}
