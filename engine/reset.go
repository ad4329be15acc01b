package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/logs"
)

// resetPath is where all that an account has is removed, so that the next test
// of a suite begins with nothing. AWS has no such thing.
const resetPath = "/_slipway/reset"

// Reset is what POST /_slipway/reset takes; nothing is the caller's account in
// all regions.
type Reset struct {
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"` // of the account, alone: users, roles and their keys stay
}

// Cleared is what it answers.
type Cleared struct {
	Rows         int     `json:"rows"`
	Tasks        int     `json:"tasks"`        // that ran and were killed first
	Milliseconds float64 `json:"milliseconds"` // until all was gone
	Stopping     float64 `json:"stopping"`     // of these, until the tasks had ended
}

// stopPatience is how long tasks that are killed may take to end.
const stopPatience = time.Minute

// reset answers when nothing of the account is left that a client could see;
// what loops take down after that (networks, listeners, files) hinders nobody.
func (e *Engine) reset(w http.ResponseWriter, r *http.Request) {
	var in Reset
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		refuse(w, http.StatusBadRequest, "ValidationException", "The body is not JSON of the form {\"account\": \"...\", \"region\": \"...\"}: "+err.Error())
		return
	}
	c := awsapi.CallerOf(r.Context())
	if in.Account == "" {
		in.Account = c.Account
	}
	if !strings.HasSuffix(c.ARN, ":root") || in.Account != c.Account && c.Account != e.set.Account {
		refuse(w, http.StatusForbidden, "AccessDeniedException", "Only the root of account "+in.Account+" or of the engine may reset it; this is "+c.ARN+".")
		return
	}
	out, err := e.clear(r.Context(), in)
	if err != nil {
		e.log.Error("reset", "account", in.Account, "region", in.Region, "err", err)
		refuse(w, http.StatusInternalServerError, "InternalFailure", err.Error())
		return
	}
	e.log.Info("reset", "account", in.Account, "region", in.Region, "rows", out.Rows, "tasks", out.Tasks, "ms", out.Milliseconds)
	writeJSON(w, out)
}

// refuse answers with an error as the JSON services do.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client may have gone
}

// clear removes the rows of an account, those that keep others going first. Tasks
// need their networks and log groups until they have ended.
func (e *Engine) clear(ctx context.Context, in Reset) (out Cleared, err error) {
	began := time.Now()
	out.Rows, out.Tasks, err = e.clearRows(in, true)
	if err == nil && out.Tasks > 0 {
		err = e.awaitTasks(ctx, in)
		out.Stopping = milliseconds(began)
		if err == nil {
			var rest int
			rest, _, err = e.clearRows(in, false)
			out.Rows += rest
		}
	}
	if err == nil {
		err = errors.Join(e.objects.Sweep(), e.readings.Remove(func(scope string) bool { return in.covers(scope + "/") }))
	}
	out.Milliseconds = milliseconds(began)
	return out, err
}

func milliseconds(since time.Time) float64 {
	return float64(time.Since(since).Microseconds()) / 1000
}

// clearRows removes the rows in one transaction. With sparing, tasks that have not
// ended are told to end, and what they need until then stays.
func (e *Engine) clearRows(in Reset, sparing bool) (rows, tasks int, err error) {
	err = e.store.Update(func(tx *store.Tx) error {
		rows, tasks = 0, 0
		spared := map[string]bool{}
		if sparing {
			if tasks = in.killTasks(tx); tasks > 0 {
				for _, t := range append(append(agent.Tables(), ec2.Tables()...), logs.Tables()...) {
					spared[t.Name()] = true
				}
			}
		}
		var root iam.Key
		for k := range iam.Keys.List(tx, "") {
			if k.Root && k.Account == e.set.Account {
				root = k
			}
		}
		for _, t := range tables() {
			if !spared[t.Name()] {
				rows += store.Clear(tx, t, in.covers)
			}
		}
		if root.ID != "" && in.covers(iam.Keys.Key(root)) { // clients have it
			iam.Keys.Put(tx, root)
			rows--
		}
		return nil
	})
	return rows, tasks, err
}

// covers says whether a row is to go, by its key.
func (in Reset) covers(key string) bool {
	of := arn.ScopeOfRow(key)
	return of.Account == in.Account && (in.Region == "" || of.Region == in.Region)
}

// killTasks tells every task to end and to leave nothing, and says how many had not
// ended.
func (in Reset) killTasks(tx *store.Tx) (n int) {
	for t := range agent.Tasks.List(tx, "") {
		if !in.covers(t.ARN) {
			continue
		}
		if st, err := agent.Statuses.Get(tx, t.ARN); err != nil || st.LastStatus != agent.Stopped {
			n++
		}
		t.Stopped, t.Killed, t.Remove = true, true, true
		if t.StopCode == "" {
			t.StopCode, t.StoppedReason = "UserInitiated", "The account was reset."
		}
		agent.Tasks.Put(tx, t)
	}
	return n
}

// awaitTasks waits until the agent has nothing left of the account's tasks: no
// container, and no line that is not in its log group.
func (e *Engine) awaitTasks(ctx context.Context, in Reset) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stopPatience, errors.New("tasks do not end, although they were killed; see: slipway ps"))
	defer cancel()
	for {
		snap, left := e.store.Snapshot(), false
		for st := range agent.Statuses.List(snap, "") {
			left = left || in.covers(st.ARN)
		}
		if !left {
			return nil
		}
		if _, _, err := e.store.Changes(ctx, snap.Revision()); err != nil && !errors.Is(err, store.ErrCompacted) {
			return context.Cause(ctx)
		}
	}
}
