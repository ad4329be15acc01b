// Package cli is the command line: a client of the AWS API like any other,
// which besides starts and stops the engine of this machine.
//
// A command is one file. It prints for people: plain lines, a live tree when
// the output is a terminal, JSON with --json. It exits with 0 only when what
// was asked for has come true; the codes are stable (see the constants).
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/manifest"
)

// Version is set by the build.
var Version = "dev"

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // what was asked for did not come true
	exitUsage    = 2 // the command line or the manifest is wrong
	exitNoEngine = 3 // no engine runs, or it could not be started

	exitInterrupted = 130 // by ^C: 128 and the number of SIGINT
)

// codedError is an error with an exit code of its own.
type codedError struct {
	code int
	error
}

func (e *codedError) Unwrap() error { return e.error }

// app is what every command has.
type app struct {
	out, err io.Writer
	in       io.Reader

	home        string // state directory
	file        string // manifest
	environment string
	json        bool
	noColor     bool
	terminal    bool              // out is one
	begun       bool              // the command line was understood
	transport   http.RoundTripper // of calls to the engine; nil: the network
}

// Main runs a command line and returns its exit code. serve is the engine
// process, which the sandbox starts as "slipway engine serve".
func Main(ctx context.Context, args []string, serve func(context.Context) error) int {
	a := &app{out: os.Stdout, err: os.Stderr, in: os.Stdin, terminal: term.IsTerminal(int(os.Stdout.Fd()))}
	return a.run(ctx, args, serve)
}

func (a *app) run(ctx context.Context, args []string, serve func(context.Context) error) int {
	root := a.root(serve)
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if _, coded := errors.AsType[*codedError](err); !a.begun && !coded {
		err = &codedError{exitUsage, err} // cobra's own: unknown commands, wrong arguments
	}
	return a.report(err)
}

// report prints an error the way it helps most and returns the exit code.
func (a *app) report(err error) int {
	code := exitFailed
	if c, ok := errors.AsType[*codedError](err); ok {
		code = c.code
	}
	if faults, ok := errors.AsType[manifest.Errors](err); ok {
		fmt.Fprint(a.err, faults.Detail())
		return exitUsage
	}
	if api, ok := errors.AsType[*awsapi.Error](err); ok {
		fmt.Fprintf(a.err, "%s: %s\n", a.red("error"), api.Message)
		return code
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.err, "interrupted")
		return 130
	}
	if text := err.Error(); text != "" {
		fmt.Fprintf(a.err, "%s: %s\n", a.red("error"), text)
	}
	return code
}

func (a *app) root(serve func(context.Context) error) *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "Run a platform of microservices on this machine, behind AWS's own APIs",
		Long: "Slipway runs the platform that slipway.yaml describes: real containers in a real VPC, behind a load balancer, deployed by CloudFormation.\n" +
			"The same template goes to AWS.",
		SilenceErrors: true, SilenceUsage: true,
		Version: Version,
	}
	root.SetVersionTemplate("slipway {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &codedError{exitUsage, err} })
	f := root.PersistentFlags()
	f.StringVar(&a.home, "home", defaultHome(), "state directory (SLIPWAY_HOME)")
	f.StringVar(&a.file, "file", manifest.File, "manifest")
	f.StringVarP(&a.environment, "environment", "e", os.Getenv("ENVIRONMENT_SUFFIX"), "environment suffix of every name (ENVIRONMENT_SUFFIX)")
	f.BoolVar(&a.json, "json", false, "print JSON")
	f.BoolVar(&a.noColor, "no-color", os.Getenv("NO_COLOR") != "", "print without colours (NO_COLOR)")
	root.PersistentPreRun = func(*cobra.Command, []string) { a.begun = true }
	root.AddCommand(
		a.upCommand(), a.downCommand(), a.deployCommand(), a.outputsCommand(), a.envCommand(),
		a.engineCommand(serve), a.synthCommand(),
	)
	root.AddCommand(a.more()...)
	return root
}

// usage is an error of the command line.
func usage(format string, args ...any) error {
	return &codedError{exitUsage, fmt.Errorf(format, args...)}
}

// The colours of the output; none when it is not a terminal.
func (a *app) paint(code, s string) string {
	if !a.terminal || a.noColor || a.json {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (a *app) red(s string) string    { return a.paint("31", s) }
func (a *app) green(s string) string  { return a.paint("32", s) }
func (a *app) yellow(s string) string { return a.paint("33", s) }
func (a *app) faint(s string) string  { return a.paint("2", s) }
func (a *app) bold(s string) string   { return a.paint("1", s) }
