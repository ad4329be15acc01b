package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// outcome is what a parent in the background tells Start.
type outcome struct {
	Pid int      `json:",omitempty"`
	Err *failure `json:",omitempty"`
}

// Start starts the sandbox in the background, in a session of its own, with
// engine.log in the state directory as its log, and returns the parent's pid
// when the engine is ready. Errors are those of Run, with their text.
func Start(cfg Config) (pid int, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return 0, err
	}
	out, err := openLog(cfg.Dir)
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	defer out.Close()
	before, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	config, err := json.Marshal(cfg)
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("sandbox: %w", err)
	}
	defer r.Close()
	cmd := exec.Command(self)
	cmd.Args = []string{"slipway-parent", cfg.Dir}
	cmd.Env, cmd.Dir = env(roleParent), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(config), out, out
	cmd.ExtraFiles = []*os.File{w} // 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, fmt.Errorf("sandbox: start parent: %w", err)
	}
	ended := make(chan struct{})
	go func() { // it outlives most callers; the others leave no zombie
		_ = cmd.Wait()
		close(ended)
	}()
	var o outcome
	if err := json.NewDecoder(r).Decode(&o); err != nil {
		<-ended
		return 0, fmt.Errorf("sandbox: the parent ended at its start: %s", tail(cfg.Dir, before))
	}
	if o.Err != nil {
		<-ended // it says so last
		return 0, o.Err
	}
	return o.Pid, nil
}

// parentMain is the process that Start makes.
func parentMain() error {
	status := os.NewFile(3, "outcome")
	syscall.CloseOnExec(3)
	var cfg Config
	if err := json.NewDecoder(os.Stdin).Decode(&cfg); err != nil {
		return fmt.Errorf("configuration from Start: %w", err)
	}
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", "parent")
	said := false
	say := func(o outcome) {
		if !said {
			said = true
			_ = json.NewEncoder(status).Encode(o) // Start may have gone; so be it
			status.Close()
		}
	}
	err := run(context.Background(), cfg, func() { say(outcome{Pid: os.Getpid()}) })
	if err != nil {
		say(outcome{Err: failureOf(err)})
	}
	return err
}

func openLog(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
}

// logHint points to the log.
func logHint(dir string) string { return "see " + filepath.Join(dir, logFile) }

// tail is the end of what was written to the log after an offset, at most 2 KiB.
func tail(dir string, from int64) string {
	f, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil {
		from = max(from, fi.Size()-2048)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, 2048))
	if text := strings.TrimSpace(string(b)); text != "" && !errors.Is(err, io.ErrUnexpectedEOF) {
		return text
	}
	return "it said nothing"
}
