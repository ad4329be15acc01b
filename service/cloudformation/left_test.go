package cloudformation

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// TestRollbackOfWhatWasLeft: however many updates failed and were left as they were, one on top of the other, RollbackStack brings back what stood before them,
// crashes or not; and one of them that succeeds leaves nothing over.
func TestRollbackOfWhatWasLeft(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		d := &driver{t: t, path: filepath.Join(dir, fmt.Sprint(run)), cloud: newCloud(), crash: rapid.Bool().Draw(t, "crashes")}
		d.open()
		defer func() { _ = d.db.Close() }()
		name := new("web")
		body, ids := graph(t, "first")
		stands := rapid.Bool().Draw(t, "the creation succeeds")
		if !stands {
			d.cloud.fails = map[string]string{"create " + rapid.SampledFrom(ids).Draw(t, "victim"): "scripted"}
		}
		if _, err := d.svc.CreateStack(testContext(), &api.CreateStackInput{StackName: name, TemplateBody: &body, DisableRollback: new(true)}); err != nil {
			t.Fatal(err)
		}
		d.finish()
		before := d.cloud.list()
		if !stands {
			before = nil
		}
		for n := range rapid.IntRange(0, 3).Draw(t, "updates") {
			next, ids := graph(t, fmt.Sprint("update ", n))
			verb := rapid.SampledFrom([]string{"create", "update", "settle"}).Draw(t, "verb")
			d.cloud.fails = map[string]string{verb + " " + rapid.SampledFrom(ids).Draw(t, "victim"): "scripted"}
			_, err := d.svc.UpdateStack(testContext(), &api.UpdateStackInput{StackName: name, TemplateBody: &next, DisableRollback: new(true)})
			if err != nil {
				continue // nothing to update
			}
			d.finish()
			d.cloud.check(t, d.db.Snapshot())
			if st, _ := find(testContext(), d.db.Snapshot(), "web"); st.Status == "UPDATE_COMPLETE" { // the victim had nothing to do
				before = d.cloud.list()
			}
		}
		d.cloud.fails = nil
		if _, err := d.svc.RollbackStack(testContext(), &api.RollbackStackInput{StackName: name}); err == nil {
			d.finish()
			d.cloud.check(t, d.db.Snapshot())
		}
		st, err := find(testContext(), d.db.Snapshot(), "web")
		if err != nil || !slices.Equal(before, d.cloud.list()) {
			t.Fatalf("%s %v\nbefore %v\nafter  %v", st.Status, err, before, d.cloud.list())
		}
		for r := range Resources.List(d.db.Snapshot(), "") {
			if r.Step != "" || r.Before != nil || len(r.Doomed) > 0 {
				t.Fatalf("row not at rest: %+v", r)
			}
		}
	})
}
