package tests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// AWS's own command joins a terminal to a command in a container, through AWS's own
// plugin: what is typed arrives, what is printed comes back whole and in order, the terminal's
// size too.
func TestExecuteCommand(t *testing.T) {
	w := platform(t)
	plugin := sessionPlugin(t)
	aws := awsVersion(t, "1")
	n := w.network("dev")
	task := w.talker(n)
	term := w.terminal(filepath.Dir(plugin), 33, 117, aws.program, "ecs", "execute-command", "--cluster", n.cluster, "--task", task, "--container", "probe",
		"--interactive", "--command", "/app talk")

	term.types("good morning\n")
	term.shows(t, "heard good morning")
	term.types("size\n")
	term.shows(t, "size 33x117")
	if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 20, Col: 70}); err != nil {
		t.Fatal(err)
	}
	w.eventually(20*time.Second, "the command knows the terminal's new size", func() (bool, error) {
		term.types("size\n")
		return strings.Contains(term.text(), "size 20x70"), nil
	})
	term.types("flood\n")
	term.shows(t, "line 19999 of the flood")
	at := 0
	for i := range 20_000 {
		next := strings.Index(term.text()[at:], fmt.Sprintf("line %d of the flood", i))
		if next < 0 {
			t.Fatalf("line %d of the flood is lost, or came before its turn", i)
		}
		at += next
	}
	term.types("bye\n")
	term.shows(t, "Exiting session with sessionId: ecs-execute-command-")
	if err := term.wait(); err != nil {
		t.Errorf("aws ecs execute-command: %v\n%s", err, term.text())
	}
}

// sessionPlugin is AWS's session-manager-plugin, built from its source.
func sessionPlugin(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "session-manager-plugin")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "github.com/aws/session-manager-plugin/src/sessionmanagerplugin-main")
	cmd.Dir = filepath.Join(rig.Root(), "tests", "clients", "plugin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the session-manager-plugin: %v\n%s", err, out)
	}
	return path
}

// talker runs the probe with ECS Exec on, and something that answers at port 8085, and
// returns the task's ARN.
func (w world) talker(n network) string {
	w.Helper()
	image := w.pushProbe()
	def := call[ecsapi.RegisterTaskDefinitionInput, ecsapi.RegisterTaskDefinitionOutput](w, "ecs", "RegisterTaskDefinition", &ecsapi.RegisterTaskDefinitionInput{
		Family: new("talker"), NetworkMode: "awsvpc", Cpu: new("256"), Memory: new("512"), RequiresCompatibilities: []ecsapi.Compatibility{"FARGATE"},
		ExecutionRoleArn: new("arn:aws:iam::000000000000:role/probe"),
		ContainerDefinitions: []ecsapi.ContainerDefinition{{
			Name: new("probe"), Image: &image, Command: []string{"proxy", "0.0.0.0:8085"}, Essential: new(true),
		}},
	})
	out := call[ecsapi.RunTaskInput, ecsapi.RunTaskOutput](w, "ecs", "RunTask", &ecsapi.RunTaskInput{
		Cluster: &n.cluster, TaskDefinition: def.TaskDefinition.TaskDefinitionArn, LaunchType: "FARGATE", EnableExecuteCommand: new(true),
		NetworkConfiguration: &ecsapi.NetworkConfiguration{AwsvpcConfiguration: &ecsapi.AwsVpcConfiguration{Subnets: n.subnets, SecurityGroups: []string{n.tasks}}},
	})
	if len(out.Tasks) != 1 {
		w.Fatalf("the probe does not start: %v", out.Failures)
	}
	task := val(out.Tasks[0].TaskArn)
	w.Cleanup(func() {
		call[ecsapi.StopTaskInput, ecsapi.StopTaskOutput](w, "ecs", "StopTask", &ecsapi.StopTaskInput{Cluster: &n.cluster, Task: &task})
	})
	w.eventually(30*time.Second, "the probe runs", func() (bool, error) {
		return val(w.task(n, task).LastStatus) == "RUNNING", nil
	})
	return task
}

// terminal is a program that runs at a terminal of ours.
type terminal struct {
	master *os.File
	cmd    *exec.Cmd
	ended  chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// terminal starts a program at a terminal of a size; bin is searched for programs first.
func (w world) terminal(bin string, rows, columns uint16, argv ...string) *terminal {
	w.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err != nil {
		w.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		w.Fatal(err)
	}
	defer slave.Close()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	cmd, err := w.Tool(ctx, argv...)
	if err != nil {
		w.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Env = append(cmd.Env, "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "HOME="+w.TempDir(), "TERM=xterm")
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	t := &terminal{master: master, cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(t.ended)
		_, _ = io.Copy(t, master) // EIO at the end
	}()
	w.Cleanup(func() {
		cancel()
		_ = t.wait()
		_ = master.Close()
	})
	return t
}

func (t *terminal) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(b)
}

// text is all that was shown so far.
func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

func (t *terminal) types(text string) { _, _ = t.master.WriteString(text) } // shows tells whether it came through

func (t *terminal) shows(tb testing.TB, want string) {
	tb.Helper()
	err := rig.Until(tb.Context(), 30*time.Second, "the terminal shows "+want, func() (bool, error) { return strings.Contains(t.text(), want), nil })
	if err != nil {
		text := t.text()
		tb.Fatalf("%v; it shows:\n%s", err, text[max(0, len(text)-2000):])
	}
}

func (t *terminal) wait() error {
	if t.cmd.ProcessState != nil {
		return nil
	}
	err := t.cmd.Wait()
	<-t.ended
	return err
}
