package rollout_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/control/rollout"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestScenarios plays the scripts of testdata. A script is commands, a line of
// four dashes, and the transcript of what was decided; several of these may
// follow each other. Lines before the first command that begin with # say what
// it is about. The commands:
//
//	service desired=N [min=N max=N strategy=S step=P stepbake=D bake=D
//	        breaker=off|norollback|count:N|percent:N|keep alarms pause=STAGE:D test]
//	deploy KIND       begin a deployment of a revision (see sim)
//	desired N         scale
//	kill TASK         a task ends by itself
//	unhealthy TASK    a task fails its checks from now on
//	healthy TASK      and passes them again
//	interrupt TASK    a Spot task has two minutes left
//	zones ZONE...     the service is kept even over these
//	alarm on|off
//	stop rollback|abort
//	continue          end the pause
//	delete            the service drains
//	run D             let time pass
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playScript(t, string(raw))
			switch {
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			case got != string(raw):
				t.Errorf("the transcript differs (go test -run Scenarios -update rewrites it); it is now:\n%s", got)
			}
		})
	}
}

// playScript runs a script and returns it with the transcripts as they are.
func playScript(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	var s *sim
	said := 0
	for block := range strings.SplitSeq(strings.TrimSpace(script), "\n\n") {
		commands, _, _ := strings.Cut(block, "----")
		for line := range strings.SplitSeq(strings.TrimSpace(commands), "\n") {
			out.WriteString(line + "\n")
			if words := strings.Fields(line); len(words) > 0 && words[0] == "service" {
				s = serviceOf(t, words[1:])
			} else if len(words) > 0 && words[0] != "#" {
				s.command(t, words)
			}
		}
		if s != nil {
			out.WriteString("----\n" + s.log.String()[said:])
			said = s.log.Len()
		}
		out.WriteString("\n")
	}
	for _, f := range s.faults {
		t.Errorf("the scheduler broke its promise: %s", f)
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func serviceOf(t *testing.T, words []string) *sim {
	t.Helper()
	c, desired := rollout.Config{MinimumHealthyPercent: 100, MaximumPercent: 200, Breaker: rollout.Breaker{Enable: true, Rollback: true}}, 0
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "desired":
			desired = number(t, value)
		case "min":
			c.MinimumHealthyPercent = number(t, value)
		case "max":
			c.MaximumPercent = number(t, value)
		case "strategy":
			c.Strategy = rollout.Strategy(value)
		case "step":
			c.StepPercent = float64(number(t, value))
		case "stepbake":
			c.StepBake = duration(t, value)
		case "bake":
			c.Bake = duration(t, value)
		case "breaker":
			c.Breaker = breakerOf(t, value)
		case "alarms":
			c.Alarms, c.AlarmRollback = true, true
		case "test":
			c.TestTraffic = true
		case "pause":
			stage, d, _ := strings.Cut(value, ":")
			c.Pauses = append(c.Pauses, rollout.Pause{Stage: rollout.Stage(stage), Timeout: duration(t, d), RollBack: true})
		default:
			t.Fatalf("unknown setting %q", w)
		}
	}
	return newSim(c, desired)
}

func breakerOf(t *testing.T, words string) rollout.Breaker {
	t.Helper()
	b := rollout.Breaker{Enable: true, Rollback: true}
	kind, n, _ := strings.Cut(words, ":")
	switch kind {
	case "off":
		b.Enable = false
	case "norollback":
		b.Rollback = false
	case "keep":
		b.KeepsCount = true
	case "count":
		b.ThresholdType, b.Value = "COUNT", number(t, n)
	case "percent":
		b.ThresholdType, b.Value = "UNBOUNDED_PERCENT", number(t, n)
	default:
		t.Fatalf("unknown breaker %q", words)
	}
	return b
}

func (s *sim) command(t *testing.T, words []string) {
	t.Helper()
	arg := ""
	if len(words) > 1 {
		arg = words[1]
	}
	task := func() *played {
		at := slices.IndexFunc(s.tasks, func(x *played) bool { return x.ID == arg })
		if at < 0 {
			t.Fatalf("no task %q", arg)
		}
		return s.tasks[at]
	}
	switch words[0] {
	case "deploy":
		s.deploy(arg)
	case "desired":
		s.Desired = number(t, arg)
	case "kill":
		s.end(task(), "killed")
	case "unhealthy":
		x := task()
		x.Healthy, x.Unhealthy = false, true
	case "healthy":
		x := task()
		x.Healthy, x.Unhealthy = true, false
	case "interrupt":
		x := task()
		x.Leaving, x.warned = true, s.now
	case "zones":
		s.zones = words[1:]
	case "alarm":
		if s.alarms = nil; arg == "on" {
			s.alarms = []string{"errors"}
		}
	case "stop":
		s.Deployments[0].Request = rollout.Request(strings.ToUpper(arg))
	case "continue":
		if !s.Continue(s.Deployments[0].Progress.Held.ID) {
			t.Fatal("nothing to continue")
		}
	case "delete":
		s.Ending, s.Desired = true, 0
	case "run":
		for end := s.now.Add(duration(t, arg)); s.now.Before(end); {
			s.tick()
		}
	default:
		t.Fatalf("unknown command %q", strings.Join(words, " "))
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(fmt.Errorf("in a script: %w", err))
	}
	return d
}
