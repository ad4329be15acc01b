package ecs

import (
	"slices"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Stop codes of tasks that are taken away (ECS API reference, Task.stopCode).
const (
	stopWarned      ecsapi.TaskStopCode = "TerminationNotice" // a Spot task that has been warned, and still runs
	stopInterrupted ecsapi.TaskStopCode = "SpotInterruption"  // and that has been stopped
	stopLost        ecsapi.TaskStopCode = "TerminationNotice" // with its availability zone
	interruptedText                     = "Your Spot Task was interrupted."
)

// A Spot task has two minutes from the warning to its end. For its last half a
// minute it may drain; until then it serves, unless others do.
const (
	spotNotice = 2 * time.Minute
	spotServes = 90 * time.Second
)

// InterruptSpot warns Spot tasks that they will be taken away in two minutes,
// and returns their ARNs: the task with this ARN or id, or up to most tasks of a
// service, all for most 0. Tasks that are not on FARGATE_SPOT, or warned already, are passed over.
//
// AWS sends SIGTERM with the warning. Here a task of a service is replaced first and
// goes when others serve in its place, in the order of every stop (targets,
// drain, signal), at the end of the two minutes at the latest: that is what the
// warning is for, and no request is lost.
func (s *Service) InterruptSpot(sc arn.Scope, cluster, service, task string, most int) (warned []string, err error) {
	err = s.store.Update(func(tx *store.Tx) error {
		warned = []string{}
		now := time.Now().UTC()
		for _, t := range slices.Collect(Tasks.By(tx, "cluster", sc.Key(clusterName(&cluster)))) {
			wanted := task != "" && (t.ID == task || t.ARN == task) || task == "" && t.ServiceName == service
			if !wanted || t.Provider != "FARGATE_SPOT" || t.DesiredStatus != "RUNNING" || !t.Interrupted.IsZero() || most > 0 && len(warned) == most {
				continue
			}
			t.Interrupted, t.StopCode, t.StopReason = now, stopWarned, interruptedText
			if t.ServiceKey == "" { // nobody replaces it
				t.askToStop(stopInterrupted, interruptedText, now)
				t.halt(tx)
			}
			Tasks.Put(tx, t)
			warned = append(warned, t.ARN)
		}
		return nil
	})
	return warned, err
}

// desired is the desired status that clients see: a task that has been warned
// is to stop.
func (t Task) desired() string {
	if !t.Interrupted.IsZero() {
		return "STOPPED"
	}
	return t.DesiredStatus
}

// noticeLeft is how much of the two minutes of a warned task is left.
func (s *Service) noticeLeft(t Task, now time.Time) time.Duration {
	return t.Interrupted.Add(s.scaled(spotNotice)).Sub(now)
}

// excused says whether a task's end says nothing about its deployment: someone
// stopped it, or it was taken away.
func (t Task) excused() bool {
	switch t.StopCode {
	case "ServiceSchedulerInitiated", "UserInitiated", stopInterrupted, stopWarned:
		return true
	}
	return false
}
