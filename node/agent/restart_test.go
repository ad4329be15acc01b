package agent_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
)

var errNoSubnet = errors.New("no such subnet")

func TestRestartAdoptsContainers(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		app := essential("app", runtime.SimExec+"=0s:0")
		app.Health = &agent.HealthCheck{Command: []string{"CMD", "true"}}
		task, other := newTask(0, app), newTask(1, essential("app", runtime.SimExit+"=15s:4"))
		w.put(task)
		w.put(other)
		settle(10 * time.Second)
		before := w.status(task.ARN)
		if before.LastStatus != agent.Running || before.Health != agent.Healthy {
			t.Fatalf("%+v", before)
		}
		w.stop()
		settle(10 * time.Second) // meanwhile the other one's container exits
		pulls := w.images.pulls
		w.run()
		settle(time.Second)
		if after := w.status(task.ARN); !slices.Equal(after.Containers, before.Containers) || after.LastStatus != agent.Running {
			t.Errorf("became %+v", after)
		}
		if w.images.pulls != pulls {
			t.Errorf("%d pulls for containers that exist", w.images.pulls-pulls)
		}
		st := w.status(other.ARN)
		if st.LastStatus != agent.Stopped || st.Containers[0].ExitCode == nil || *st.Containers[0].ExitCode != 4 {
			t.Errorf("exited meanwhile: %+v", st)
		}
		if got := st.Containers[0].FinishedAt.Sub(st.Containers[0].StartedAt); got != 15*time.Second {
			t.Errorf("it is said to have run %v", got)
		}
	})
}

func TestRestartWithoutContainers(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		task := newTask(0, essential("app"))
		w.put(task)
		settle(time.Second)
		w.stop()
		w.driver = runtime.NewSimulated() // the machine was started anew
		w.run()
		settle(time.Second)
		st := w.status(task.ARN)
		if st.LastStatus != agent.Stopped || st.StopCode != "EssentialContainerExited" || st.Containers[0].ExitCode != nil {
			t.Errorf("%+v", st)
		}
		if len(w.containers()) > 0 {
			t.Errorf("it was started again: %v", w.containers())
		}
	})
}

func TestOrphansAreRemoved(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		task := newTask(0, essential("app"))
		w.put(task)
		settle(time.Second)
		w.stop()
		err := w.store.Update(func(tx *store.Tx) error {
			agent.Tasks.Delete(tx, task.ARN)
			agent.Statuses.Delete(tx, task.ARN)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run()
		settle(time.Second)
		if len(w.containers()) > 0 {
			t.Errorf("left: %v", w.containers())
		}
	})
}

// Whatever happens, and however often the agent is restarted: statuses go
// forward only, containers run once, exit codes are true, and in the end
// nothing is left.
func TestRestartAtAnyMoment(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := life{
			attach:    time.Duration(rapid.IntRange(0, 3).Draw(rt, "attach")) * 100 * time.Millisecond,
			pull:      time.Duration(rapid.IntRange(0, 3).Draw(rt, "pull")) * 100 * time.Millisecond,
			exit:      rapid.SampledFrom([]string{"", "1s:5", "3s:0"}).Draw(rt, "exit"),
			stop:      rapid.SampledFrom([]string{"0s:0", "500ms:0", "ignore"}).Draw(rt, "stop"),
			stopAfter: rapid.IntRange(1, 60).Draw(rt, "stop after"),
			restarts:  rapid.SliceOfN(rapid.SampledFrom([]restart{stay, stay, stay, stay, again, pause}), 90, 90).Draw(rt, "restarts"),
		}
		problem := ""
		synctest.Test(t, func(t *testing.T) { problem = l.live(newWorld(t)) })
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

type restart string

const (
	stay  restart = "-"
	again restart = "restart"
	pause restart = "pause"
)

// life is what happens to a task and to its agent.
type life struct {
	attach, pull time.Duration
	exit, stop   string
	stopAfter    int
	restarts     []restart // one for each tick
}

// live returns what went wrong.
func (l life) live(w *world) string {
	w.network.delay, w.images.delay = l.attach, l.pull
	script := []string{runtime.SimStop + "=" + l.stop}
	if l.exit != "" {
		script = append(script, runtime.SimExit+"="+l.exit)
	}
	app := after(essential("app", script...), "SUCCESS", "init")
	app.StopTimeout = 2 * time.Second
	task := newTask(0, app, optional("init", runtime.SimExit+"=200ms:0"))
	w.run()
	defer func() { w.stop() }()
	w.put(task)
	last := ""
	started := map[string]time.Time{}
	for tick, restart := range l.restarts {
		if tick == l.stopAfter {
			w.change(task.ARN, func(t *agent.Task) { t.Stopped, t.StopCode = true, "UserInitiated" })
		}
		if restart != stay {
			w.stop()
			if restart == pause {
				settle(150 * time.Millisecond)
			}
			w.run()
		}
		settle(100 * time.Millisecond)
		st := w.status(task.ARN)
		if rank(st.LastStatus) < rank(last) {
			return fmt.Sprintf("status went from %s to %s", last, st.LastStatus)
		}
		last = st.LastStatus
		for _, c := range st.Containers {
			if before := started[c.Name]; !before.IsZero() && !c.StartedAt.Equal(before) {
				return fmt.Sprintf("%s was started twice: %v and %v", c.Name, before, c.StartedAt)
			}
			started[c.Name] = c.StartedAt
		}
	}
	settle(10 * time.Second)
	st := w.status(task.ARN)
	if st.LastStatus != agent.Stopped || st.StopCode != "UserInitiated" && st.StopCode != "EssentialContainerExited" {
		return fmt.Sprintf("in the end: %+v", st)
	}
	for _, c := range st.Containers {
		if c.LastStatus != agent.Stopped || c.StartedAt.IsZero() != (c.ExitCode == nil) {
			return fmt.Sprintf("in the end: %+v", c)
		}
	}
	if len(w.containers()) > 0 || len(w.network.attached) > 0 {
		return fmt.Sprintf("left: %v %v", w.containers(), w.network.attached)
	}
	w.change(task.ARN, func(t *agent.Task) { t.Remove = true })
	settle(time.Second)
	if st := w.status(task.ARN); st.ARN != "" {
		return fmt.Sprintf("its row is left: %+v", st)
	}
	return ""
}

func rank(status string) int {
	return slices.Index([]string{
		"", agent.Provisioning, agent.Pending, agent.Activating, agent.Running, agent.Deactivating, agent.Stopping, agent.Deprovisioning, agent.Stopped,
	}, status)
}
