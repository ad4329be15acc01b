package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// waitForEngine is how long commands that follow something wait for an engine
// that does not answer: it may be restarting.
const waitForEngine = 30 * time.Second

// patience lets what follows something live through a restart of the engine.
type patience struct {
	*app
	since time.Time // when the engine fell silent; zero while it answers
}

func newPatience(a *app) *patience { return &patience{app: a} }

// allows tells whether to try again after err: the engine does not answer,
// and has not for long. It says so once, and when the engine is back.
func (p *patience) allows(err error) bool {
	coded, ok := errors.AsType[*codedError](err)
	if err == nil || !ok || coded.code != exitNoEngine {
		if err == nil && !p.since.IsZero() {
			fmt.Fprintln(p.err, p.faint("the engine answers again"))
			p.since = time.Time{}
		}
		return false
	}
	if p.since.IsZero() {
		p.since = time.Now()
		fmt.Fprintln(p.err, p.faint("the engine does not answer; waiting for it"))
	}
	return time.Since(p.since) < waitForEngine
}

// printLine writes v as one line of JSON.
func (a *app) printLine(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// digest tells two values apart by their JSON.
func digest(v any) string {
	b, _ := json.Marshal(v) // what is printed can be marshalled
	return string(b)
}
