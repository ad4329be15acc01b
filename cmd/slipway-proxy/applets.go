package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// streams are a program's standard ones.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func standard() streams { return streams{os.Stdin, os.Stdout, os.Stderr} }

// applet is a small program; it returns its exit status.
type applet func(ctx context.Context, args []string, std streams) int

var applets map[string]applet

func init() { // they call each other
	applets = map[string]applet{"sh": shell, "curl": curl, "grep": grep, "cat": cat, "ready": ready}
}

// shell is a POSIX shell whose programs are the applets.
func shell(ctx context.Context, args []string, std streams) int {
	source, name := std.in, "sh"
	if len(args) > 1 && args[0] == "-c" {
		source, args = strings.NewReader(args[1]), args[2:]
	} else if len(args) > 0 {
		f, err := os.Open(args[0])
		if err != nil {
			fmt.Fprintln(std.err, "sh:", err)
			return 127
		}
		defer f.Close()
		source, name, args = f, args[0], args[1:]
	}
	script, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(source, name)
	if err != nil {
		fmt.Fprintln(std.err, "sh:", err)
		return 2
	}
	runner, err := interp.New(interp.StdIO(std.in, std.out, std.err), interp.Params(append([]string{"--"}, args...)...), interp.ExecHandlers(programs))
	if err != nil {
		fmt.Fprintln(std.err, "sh:", err)
		return 2
	}
	err = runner.Run(ctx, script)
	if status, ok := errors.AsType[interp.ExitStatus](err); ok {
		return int(status)
	}
	if err != nil {
		fmt.Fprintln(std.err, "sh:", err)
		return 1
	}
	return 0
}

// programs runs an applet where a script names one.
func programs(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, args []string) error {
		a := applets[args[0]]
		if a == nil {
			return next(ctx, args)
		}
		h := interp.HandlerCtx(ctx)
		if status := a(ctx, args[1:], streams{h.Stdin, h.Stdout, h.Stderr}); status != 0 {
			return interp.ExitStatus(status)
		}
		return nil
	}
}

// curl fetches one URL: -s -S -f -L, -X, -o /dev/null, -m seconds are known.
func curl(ctx context.Context, args []string, std streams) int {
	method, url, fail, timeout, silent := http.MethodGet, "", false, 30*time.Second, false
	for i := 0; i < len(args); i++ {
		value := func() string {
			if i++; i < len(args) {
				return args[i]
			}
			return ""
		}
		switch a := args[i]; {
		case a == "-X" || a == "--request":
			method = value()
		case a == "-o" || a == "--output":
			if value() == "/dev/null" {
				std.out = io.Discard
			}
		case a == "-m" || a == "--max-time":
			if d, err := time.ParseDuration(value() + "s"); err == nil {
				timeout = d
			}
		case a == "--fail":
			fail = true
		case a == "--silent":
			silent = true
		case strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Trim(a[1:], "sSfLkv") == "":
			fail, silent = fail || strings.Contains(a, "f"), silent || strings.Contains(a, "s")
		case strings.HasPrefix(a, "-"):
			fmt.Fprintf(std.err, "curl: option %s is not known here: this is the proxy image's small one\n", a)
			return 2
		default:
			url = a
		}
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		fmt.Fprintln(std.err, "curl: (3)", err)
		return 3
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		if !silent {
			fmt.Fprintln(std.err, "curl: (7)", err)
		}
		return 7
	}
	defer resp.Body.Close()
	if fail && resp.StatusCode >= 400 {
		return 22
	}
	if _, err := io.Copy(std.out, resp.Body); err != nil {
		return 23
	}
	return 0
}

// grep prints the lines that match: -q, -i, -v, -c, -E, -F are known.
func grep(_ context.Context, args []string, std streams) int {
	flags := ""
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		flags += args[0][1:]
		args = args[1:]
	}
	if bad := strings.Trim(flags, "qivcEFe"); bad != "" || len(args) == 0 {
		fmt.Fprintln(std.err, "usage: grep [-qivcEF] PATTERN [FILE...]")
		return 2
	}
	pattern := args[0]
	if strings.Contains(flags, "F") {
		pattern = regexp.QuoteMeta(pattern)
	}
	if strings.Contains(flags, "i") {
		pattern = "(?i)" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		fmt.Fprintln(std.err, "grep:", err)
		return 2
	}
	count := 0
	for _, in := range inputs(args[1:], std) {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if re.MatchString(lines.Text()) == strings.Contains(flags, "v") {
				continue
			}
			count++
			if !strings.ContainsAny(flags, "qc") {
				fmt.Fprintln(std.out, lines.Text())
			}
		}
	}
	if strings.Contains(flags, "c") {
		fmt.Fprintln(std.out, count)
	}
	if count == 0 {
		return 1
	}
	return 0
}

func cat(_ context.Context, args []string, std streams) int {
	for _, in := range inputs(args, std) {
		if _, err := io.Copy(std.out, in); err != nil {
			return 1
		}
	}
	return 0
}

// inputs are files, or standard input when none is named.
func inputs(names []string, std streams) []io.Reader {
	if len(names) == 0 {
		return []io.Reader{std.in}
	}
	var all []io.Reader
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(std.err, err)
			continue
		}
		all = append(all, strings.NewReader(string(text)))
	}
	return all
}

// ready is a health check of its own that needs no shell.
func ready(ctx context.Context, _ []string, std streams) int {
	port := os.Getenv("ENVOY_ADMIN_ACCESS_PORT")
	if port == "" {
		port = "9901"
	}
	return curl(ctx, []string{"-s", "-f", "-m", "2", "http://127.0.0.1:" + port + "/ready"}, std)
}
