package agent_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/runtime"
)

// story runs a test with an agent in a bubble of its own time.
func story(t *testing.T, tell func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		defer func() { w.stop() }()
		tell(t, w)
	})
}

func TestTaskRunsAndIsStopped(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.network.delay, w.images.delay = time.Second, 2*time.Second
		task := newTask(0, essential("app"))
		w.put(task)
		settle(500 * time.Millisecond)
		if st := w.status(task.ARN); st.LastStatus != agent.Provisioning {
			t.Fatalf("while the network comes: %+v", st)
		}
		settle(time.Second)
		if st := w.status(task.ARN); st.LastStatus != agent.Pending || st.PullStartedAt.IsZero() || !st.PullStoppedAt.IsZero() {
			t.Fatalf("while the image comes: %+v", st)
		}
		settle(time.Second)
		st := w.status(task.ARN)
		if st.LastStatus != agent.Running || st.StartedAt.IsZero() || st.Health != agent.HealthUnknown {
			t.Fatalf("running: %+v", st)
		}
		if got := st.PullStoppedAt.Sub(st.PullStartedAt); got != 2*time.Second {
			t.Errorf("the pull took %v beside the network's second", got)
		}
		c := st.Containers[0]
		if c.LastStatus != agent.Running || !strings.HasPrefix(c.RuntimeID, task.ID+"-") || c.ImageDigest != "sha256:app:1" {
			t.Errorf("container: %+v", c)
		}

		w.change(task.ARN, func(t *agent.Task) { t.Stopped, t.StopCode, t.StoppedReason = true, "UserInitiated", "bye" })
		settle(time.Second)
		st = w.status(task.ARN)
		if st.LastStatus != agent.Stopped || st.StopCode != "UserInitiated" || st.StoppedReason != "bye" {
			t.Fatalf("stopped: %+v", st)
		}
		if code := st.Containers[0].ExitCode; code == nil || *code != 143 {
			t.Errorf("exit code %v, want 143", code)
		}
		if st.StoppingAt.IsZero() || st.ExecutionStoppedAt.IsZero() || st.StoppedAt.IsZero() {
			t.Errorf("times: %+v", st)
		}
		if len(w.containers()) > 0 || len(w.network.attached) > 0 {
			t.Errorf("left: %v %v", w.containers(), w.network.attached)
		}
		w.change(task.ARN, func(t *agent.Task) { t.Remove = true })
		settle(time.Second)
		if st := w.status(task.ARN); st.ARN != "" {
			t.Errorf("its row is still there: %+v", st)
		}
	})
}

func TestWhyTasksEnd(t *testing.T) {
	const dead = "Essential container in task exited"
	for name, c := range map[string]struct {
		task         agent.Task
		code, reason string // of the task
		container    string // reason of the first container
		exit         int    // of the first container, -1 = none
	}{
		"an essential container exits": {newTask(0, essential("app", runtime.SimExit+"=5s:3")), "EssentialContainerExited", dead, "", 3},
		"out of memory": {
			newTask(0, essential("app", runtime.SimOOM+"=5s")), "EssentialContainerExited", dead,
			"OutOfMemoryError: Container killed due to memory usage", 137,
		},
		"an image that is not there": {
			newTask(0, agent.Container{Name: "app", Image: "nope:1", Essential: true}), "TaskFailedToStart",
			"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref nope:1: nope:1: not found",
			"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref nope:1: nope:1: not found", -1,
		},
		"a program that is not there": {
			newTask(0, essential("app", runtime.SimStartError+"=exec: \"/x\": no such file")), "TaskFailedToStart",
			`CannotStartContainerError: exec: "/x": no such file`, `CannotStartContainerError: exec: "/x": no such file`, -1,
		},
		"a volume that is not declared": {
			newTask(0, agent.Container{Name: "app", Essential: true, Mounts: []agent.Mount{{Volume: "v", Path: "/v"}}}), "TaskFailedToStart",
			"CannotCreateContainerError: volume v is not declared", "CannotCreateContainerError: volume v is not declared", -1,
		},
		"a dependency that does not succeed": {
			newTask(0, optional("init", runtime.SimExit+"=1s:1"), after(essential("app"), "SUCCESS", "init")), "TaskFailedToStart",
			"failed to resolve container ordering dependency init for target app as dependency did not exit successfully", "", 1,
		},
		"a dependency that takes too long": {
			newTask(0, func() agent.Container { c := optional("init"); c.StartTimeout = 5 * time.Second; return c }(), after(essential("app"), "SUCCESS", "init")),
			"TaskFailedToStart", "container ordering dependency init for target app has timed out", "", 143,
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.images.missing["nope:1"] = true
				w.put(c.task)
				settle(time.Minute)
				st := w.status(c.task.ARN)
				if st.LastStatus != agent.Stopped || st.StopCode != c.code || st.StoppedReason != c.reason {
					t.Fatalf("%+v", st)
				}
				first := st.Containers[0]
				if first.Reason != c.container || first.LastStatus != agent.Stopped {
					t.Errorf("container: %+v", first)
				}
				if got := first.ExitCode; got == nil && c.exit >= 0 || got != nil && *got != c.exit {
					t.Errorf("exit code %v, want %d", got, c.exit)
				}
				if len(w.containers()) > 0 || len(w.network.attached) > 0 {
					t.Errorf("left: %v %v", w.containers(), w.network.attached)
				}
			})
		})
	}
}

func TestNetworkFailureFailsTheTask(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.network.err = errNoSubnet
		task := newTask(0, essential("app"))
		w.put(task)
		settle(time.Second)
		if st := w.status(task.ARN); st.StopCode != "TaskFailedToStart" || !strings.HasPrefix(st.StoppedReason, "ResourceInitializationError: ") {
			t.Errorf("%+v", st)
		}
	})
}

func TestContainersStartInOrder(t *testing.T) {
	healthy := func(c agent.Container) agent.Container {
		c.Health = &agent.HealthCheck{Command: []string{"CMD", "true"}, Interval: 10 * time.Second}
		return c
	}
	story(t, func(t *testing.T, w *world) {
		task := newTask(0,
			after(after(essential("app"), "HEALTHY", "proxy"), "SUCCESS", "migrate"),
			after(optional("migrate", runtime.SimExit+"=5s:0"), "START", "proxy"),
			healthy(essential("proxy", runtime.SimExec+"=0s:1,8s:0")),
			after(optional("late"), "COMPLETE", "migrate"),
		)
		w.put(task)
		running := func() (names []string) {
			for _, c := range w.status(task.ARN).Containers {
				if c.LastStatus == agent.Running {
					names = append(names, c.Name)
				}
			}
			return names
		}
		settle(time.Second)
		if got := running(); !slices.Equal(got, []string{"migrate", "proxy"}) {
			t.Errorf("after 1 s: %v", got)
		}
		if st := w.status(task.ARN); st.LastStatus != agent.Activating {
			t.Errorf("after 1 s: %s", st.LastStatus)
		}
		settle(5 * time.Second)
		if got := running(); !slices.Equal(got, []string{"proxy", "late"}) {
			t.Errorf("after 6 s: %v", got)
		}
		settle(10 * time.Second)
		if got := running(); !slices.Equal(got, []string{"app", "proxy", "late"}) {
			t.Errorf("after 16 s: %v", got)
		}
		if st := w.status(task.ARN); st.LastStatus != agent.Running || st.Health != agent.Healthy {
			t.Errorf("after 16 s: %s %s", st.LastStatus, st.Health)
		}
	})
}

func TestContainersStopInReverseOrder(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		slow := essential("db", runtime.SimStop+"=2s:0")
		stubborn := after(essential("app", runtime.SimStop+"=ignore"), "START", "db")
		stubborn.StopTimeout = 7 * time.Second
		task := newTask(0, slow, stubborn, after(optional("agent", runtime.SimStop+"=1s:0"), "START", "app"))
		w.put(task)
		settle(time.Second)
		w.change(task.ARN, func(t *agent.Task) { t.Stopped = true })
		settle(time.Minute)
		at := func(name string) time.Duration {
			return w.container(task.ARN, name).FinishedAt.Sub(w.status(task.ARN).StoppingAt)
		}
		if at("agent") != time.Second || at("app") != 8*time.Second || at("db") != 10*time.Second {
			t.Errorf("agent after %v, app after %v, db after %v", at("agent"), at("app"), at("db"))
		}
		if code := w.container(task.ARN, "app").ExitCode; code == nil || *code != 137 {
			t.Errorf("a killed container has code %v", code)
		}
		if st := w.status(task.ARN); st.LastStatus != agent.Stopped {
			t.Errorf("%+v", st)
		}
	})
}

func TestHealthFlaps(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		check  agent.HealthCheck
		speed  float64
		want   map[time.Duration]string // by age
	}{
		"three failures in a row, one success": {
			"0s:0,95s:1,155s:0",
			agent.HealthCheck{},
			1,
			map[time.Duration]string{time.Second: agent.Healthy, 130 * time.Second: agent.Healthy, 151 * time.Second: agent.Healthy, 181 * time.Second: agent.Healthy},
		},
		"unhealthy after retries": {
			"0s:0,95s:1,200s:0",
			agent.HealthCheck{Retries: 2},
			1,
			map[time.Duration]string{149 * time.Second: agent.Healthy, 151 * time.Second: agent.Unhealthy, 211 * time.Second: agent.Healthy},
		},
		"failures in the start period do not count": {
			"0s:1",
			agent.HealthCheck{StartPeriod: 100 * time.Second, Retries: 1},
			1,
			map[time.Duration]string{91 * time.Second: agent.HealthUnknown, 121 * time.Second: agent.Unhealthy},
		},
		"without a start period they do": {
			"0s:1",
			agent.HealthCheck{Retries: 1},
			1,
			map[time.Duration]string{29 * time.Second: agent.HealthUnknown, 31 * time.Second: agent.Unhealthy},
		},
		"a check that hangs fails": {
			"0s:hang", agent.HealthCheck{Retries: 1}, 1, map[time.Duration]string{40 * time.Second: agent.Unhealthy},
		},
		"the clock's speed": {
			"0s:1", agent.HealthCheck{Retries: 2}, 10, map[time.Duration]string{5 * time.Second: agent.HealthUnknown, 7 * time.Second: agent.Unhealthy},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.speed = c.speed
				w.run()
				defer w.stop()
				c.check.Command = []string{"CMD-SHELL", "true"}
				app := essential("app", runtime.SimExec+"="+c.script)
				app.Health = &c.check
				task := newTask(0, app)
				w.put(task)
				settle(0)
				start := w.container(task.ARN, "app").StartedAt
				var ages []time.Duration
				for age := range c.want {
					ages = append(ages, age)
				}
				slices.Sort(ages)
				for _, age := range ages {
					settle(time.Until(start.Add(age)))
					if st := w.status(task.ARN); st.Health != c.want[age] || st.LastStatus != agent.Running {
						t.Errorf("at %v: want %s: %+v", age, c.want[age], st)
					}
				}
			})
		})
	}
}

func TestStopWhileStarting(t *testing.T) {
	for _, at := range []time.Duration{0, time.Second, 3 * time.Second} {
		story(t, func(t *testing.T, w *world) {
			w.network.delay, w.images.delay = 2*time.Second, 4*time.Second
			task := newTask(0, essential("app"))
			w.put(task)
			settle(at)
			w.change(task.ARN, func(t *agent.Task) { t.Stopped, t.StopCode = true, "UserInitiated" })
			settle(time.Second)
			st := w.status(task.ARN)
			if st.LastStatus != agent.Stopped || st.StopCode != "UserInitiated" || st.Containers[0].ExitCode != nil {
				t.Errorf("stopped after %v: %+v", at, st)
			}
			if len(w.containers()) > 0 || len(w.network.attached) > 0 {
				t.Errorf("left: %v %v", w.containers(), w.network.attached)
			}
		})
	}
}
