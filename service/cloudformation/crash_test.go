package cloudformation

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	api "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// killed is what a handler of the fake cloud panics with: the process dies after the effect and before the row is written.
type killed struct{}

// driver runs the loops by hand, one reconcile at a time in random order, and kills the process at random.
type driver struct {
	t     *rapid.T
	path  string
	db    *store.Store
	svc   *Service
	cloud *cloud
	crash bool
}

func (d *driver) open() {
	db, err := store.Open(store.Config{Path: d.path}, Tables()...)
	if err != nil {
		d.t.Fatal(err)
	}
	d.db = db
	d.svc = New(Config{Store: db, Log: slog.New(slog.DiscardHandler), Types: d.cloud.types()})
}

func (d *driver) restart() {
	if err := d.db.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.open()
}

// step does one reconcile that is due; false when there is none.
func (d *driver) step() bool {
	r := d.db.Snapshot()
	var due []string
	for op := range Operations.List(r, "") {
		due = append(due, "advance "+op.Stack)
	}
	if len(due) == 0 {
		return false
	}
	for res := range Resources.List(r, "") {
		if res.Step != "" {
			due = append(due, "work "+Resources.Key(res))
		}
	}
	kind, key, _ := strings.Cut(rapid.SampledFrom(due).Draw(d.t, "next"), " ")
	if d.crash && rapid.IntRange(0, 9).Draw(d.t, "crash") == 0 {
		d.cloud.kill = rapid.Bool().Draw(d.t, "after the effect")
		if !d.cloud.kill {
			d.restart()
			return true
		}
	}
	if d.guarded(kind, key) || d.cloud.kill {
		d.cloud.kill = false
		d.restart()
	}
	return true
}

func (d *driver) guarded(kind, key string) (died bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			died = true
		}
	}()
	reconcile := d.svc.work
	if kind == "advance" {
		reconcile = d.svc.advance
	}
	if _, err := reconcile(context.Background(), key); err != nil {
		d.t.Fatal(err)
	}
	return false
}

func (d *driver) finish() {
	for i := 0; d.step(); i++ {
		if i > 20_000 {
			d.t.Fatal("the operation does not end")
		}
	}
}

// graph draws a template: things that use earlier ones, replaced or updated between versions.
func graph(t *rapid.T, label string) (body string, ids []string) {
	var b strings.Builder
	b.WriteString("Resources:\n")
	n := rapid.IntRange(1, 6).Draw(t, label+" resources")
	for i := range n {
		id := fmt.Sprintf("R%d", i)
		if i > 0 && rapid.IntRange(0, 4).Draw(t, label+" absent") == 0 {
			continue
		}
		fmt.Fprintf(&b, "  %s: {Type: 'T::Thing', Properties: {Kind: k%d, Size: %d, Uses: [", id,
			rapid.IntRange(0, 1).Draw(t, label+" kind"), rapid.IntRange(0, 1).Draw(t, label+" size"))
		for j, other := range ids {
			if rapid.Bool().Draw(t, label+" uses") {
				if j > 0 && strings.HasSuffix(b.String(), "]") {
					b.WriteString(", ")
				}
				fmt.Fprintf(&b, "!Ref %s, ", other)
			}
		}
		b.WriteString("]}}\n")
		ids = append(ids, id)
	}
	return strings.ReplaceAll(b.String(), ", ]", "]"), ids
}

// TestCrashAnywhere: whatever dies wherever, the operation ends as it would have, nothing is made twice and nothing is left over.
func TestCrashAnywhere(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		first, ids := graph(t, "first")
		second, more := graph(t, "second")
		fails := map[string]string{}
		if rapid.Bool().Draw(t, "fails") {
			verb := rapid.SampledFrom([]string{"create", "update", "settle"}).Draw(t, "verb")
			fails[verb+" "+rapid.SampledFrom(append(ids, more...)).Draw(t, "victim")] = "scripted"
		}
		failFirst := rapid.Bool().Draw(t, "fail the creation")

		run++
		calm := lifecycle(t, filepath.Join(dir, fmt.Sprintf("calm%d", run)), false, first, second, fails, failFirst)
		wild := lifecycle(t, filepath.Join(dir, fmt.Sprintf("wild%d", run)), true, first, second, fails, failFirst)
		if !slices.Equal(calm, wild) {
			t.Fatalf("with crashes:\n%s\nwithout:\n%s", strings.Join(wild, "\n"), strings.Join(calm, "\n"))
		}
	})
}

// lifecycle creates, updates and deletes a stack, and returns what there was after each.
func lifecycle(t *rapid.T, path string, crash bool, first, second string, fails map[string]string, failFirst bool) (seen []string) {
	d := &driver{t: t, path: path, cloud: newCloud(), crash: crash}
	d.open()
	defer func() { _ = d.db.Close() }()
	name := "web"
	look := func() {
		for st := range Stacks.List(d.db.Snapshot(), "") {
			seen = append(seen, st.Status)
			if st.Status == "UPDATE_ROLLBACK_FAILED" {
				d.cloud.check(t, d.db.Snapshot())
				return // what there is depends on the order in which things failed
			}
			for r := range Resources.List(d.db.Snapshot(), st.Key()+"/") {
				if r.Step != "" || r.Before != nil || len(r.Doomed) > 0 {
					t.Fatalf("row not at rest: %+v", r)
				}
			}
		}
		seen = append(seen, d.cloud.list()...)
		d.cloud.check(t, d.db.Snapshot())
	}
	if failFirst {
		d.cloud.fails = fails
	}
	if _, err := d.svc.CreateStack(testContext(), &api.CreateStackInput{StackName: &name, TemplateBody: &first}); err != nil {
		t.Fatal(err)
	}
	d.finish()
	look()
	d.cloud.fails = fails
	_, err := d.svc.UpdateStack(testContext(), &api.UpdateStackInput{StackName: &name, TemplateBody: &second})
	if err != nil {
		seen = append(seen, err.Error()[:20])
	}
	d.finish()
	look()
	d.cloud.fails = nil
	if _, err := d.svc.DeleteStack(testContext(), &api.DeleteStackInput{StackName: &name}); err != nil {
		t.Fatal(err)
	}
	d.finish()
	look()
	if left := d.cloud.list(); len(left) > 0 {
		t.Fatalf("left over: %v", left)
	}
	return seen
}

// TestInterruptedAnywhere: a creation deleted at any step leaves nothing, and an update cancelled at any step leaves what was there before, crashes or not.
func TestInterruptedAnywhere(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		d := &driver{t: t, path: filepath.Join(dir, fmt.Sprint(run)), cloud: newCloud(), crash: rapid.Bool().Draw(t, "crashes")}
		d.open()
		defer func() { _ = d.db.Close() }()
		first, _ := graph(t, "first")
		second, _ := graph(t, "second")
		name := new("web")
		create := func() {
			if _, err := d.svc.CreateStack(testContext(), &api.CreateStackInput{StackName: name, TemplateBody: &first}); err != nil {
				t.Fatal(err)
			}
		}
		create()
		for range rapid.IntRange(0, 12).Draw(t, "steps of the creation") {
			d.step()
		}
		if _, err := d.svc.DeleteStack(testContext(), &api.DeleteStackInput{StackName: name}); err != nil {
			t.Fatal(err)
		}
		d.finish()
		if left := d.cloud.list(); len(left) > 0 {
			t.Fatalf("left over after the deletion: %v", left)
		}

		create()
		d.finish()
		before := d.cloud.list()
		if _, err := d.svc.UpdateStack(testContext(), &api.UpdateStackInput{StackName: name, TemplateBody: &second}); err != nil {
			return // nothing to update
		}
		for range rapid.IntRange(0, 8).Draw(t, "steps of the update") {
			d.step()
		}
		if _, err := d.svc.CancelUpdateStack(testContext(), &api.CancelUpdateStackInput{StackName: name}); err != nil {
			return // it was too late
		}
		d.finish()
		d.cloud.check(t, d.db.Snapshot())
		st, err := find(testContext(), d.db.Snapshot(), "web")
		if err != nil || st.Status != "UPDATE_ROLLBACK_COMPLETE" || !slices.Equal(before, d.cloud.list()) {
			t.Fatalf("%s\nbefore %v\nafter  %v", st.Status, before, d.cloud.list())
		}
	})
}

// check: every thing is known to a row, every row's thing is there, and no token made two.
func (c *cloud) check(t *rapid.T, r store.Reader) {
	known := map[string]bool{}
	for row := range Resources.List(r, "") {
		if row.Before != nil {
			known[row.Before.PhysicalID] = true
		}
		for _, v := range row.Doomed {
			known[v.PhysicalID] = true
		}
		if row.PhysicalID != "" && row.Status != "DELETE_COMPLETE" {
			known[row.PhysicalID] = true
			if c.things[row.PhysicalID] == nil {
				t.Fatalf("%s is gone but %s says %s", row.PhysicalID, row.LogicalID, row.Status)
			}
		}
	}
	for id, row := range c.things {
		if !known[id] {
			t.Fatalf("orphan %s of %s", id, row.owner)
		}
	}
	for token, n := range c.created {
		if n > 1 {
			t.Fatalf("token %s made %d things", token, n)
		}
	}
}
