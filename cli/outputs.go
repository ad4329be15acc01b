package cli

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) outputsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "outputs [KEY]", Short: "Print the outputs of the stack, or the value of one", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := a.manifest()
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			outputs, err := stackOutputs(cmd.Context(), c, m.StackName())
			if err != nil {
				return err
			}
			keys := slices.Sorted(maps.Keys(outputs))
			switch {
			case len(args) == 1:
				v, ok := outputs[args[0]]
				if !ok {
					return usage("stack %s has no output %s; it has: %s", m.StackName(), args[0], strings.Join(keys, " "))
				}
				fmt.Fprintln(a.out, v)
			case a.json:
				return a.print(outputs)
			default:
				for _, k := range keys {
					fmt.Fprintf(a.out, "%s=%s\n", k, outputs[k])
				}
			}
			return nil
		},
	}
}

func (a *app) envCommand() *cobra.Command {
	return &cobra.Command{
		Use: "env", Short: `Print what points AWS clients at the engine: eval "$(slipway env)"`, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.access()
			if err != nil {
				return err
			}
			vars := environment(cmd.Context(), c)
			if a.json {
				return a.print(variables(vars))
			}
			a.export(vars)
			return nil
		},
	}
}

// variable is one of the environment.
type variable struct{ name, value string }

// environment is what points AWS clients at the engine.
func environment(ctx context.Context, c access) []variable {
	return []variable{
		{"AWS_ENDPOINT_URL", endpointName(ctx, c.Endpoint)},
		{"AWS_ENDPOINT_URL_S3", bucketEndpoint(c.Endpoint)},
		{"AWS_REGION", c.Region},
		{"AWS_DEFAULT_REGION", c.Region},
		{"AWS_ACCESS_KEY_ID", c.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", c.SecretKey},
	}
}

func variables(vars []variable) map[string]string {
	m := map[string]string{}
	for _, v := range vars {
		m[v.name] = v.value
	}
	return m
}

// export prints variables for a shell.
func (a *app) export(vars []variable) {
	for _, v := range vars {
		fmt.Fprintf(a.out, "export %s=%s\n", v.name, v.value)
	}
	// Keys of a profile or a session would win over these.
	fmt.Fprintln(a.out, "unset AWS_PROFILE AWS_SESSION_TOKEN")
}

// endpointName is the engine's address under a name whose siblings lead to it
// as well, if this machine resolves them: some operations go to another host,
// such as data-<host> (DiscoverInstances) and stream-<host> (StartLiveTail).
// glibc alone knows localhost only; systemd-resolved and nss-myhostname know
// every name below it (RFC 6761).
func endpointName(ctx context.Context, endpoint string) string {
	addrs, err := net.DefaultResolver.LookupHost(ctx, "data-slipway.localhost")
	if err != nil || !slices.Contains(addrs, "127.0.0.1") {
		return endpoint
	}
	return strings.Replace(endpoint, "//localhost:", "//slipway.localhost:", 1)
}

// bucketEndpoint is the engine's address as the SDKs' S3 clients need it: at a
// name they ask for BUCKET.NAME, which no resolver may know, at an address for
// the path /BUCKET.
func bucketEndpoint(endpoint string) string {
	return strings.Replace(endpoint, "//localhost:", "//127.0.0.1:", 1)
}
