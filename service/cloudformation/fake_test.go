package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// cloud is a fake service: things by physical id, and a script of what shall fail.
type cloud struct {
	mu      sync.Mutex
	things  map[string]*thingRow
	fails   map[string]string        // "create A" -> message, by logical id
	slow    map[string]time.Duration // logical id -> time until it is settled
	created map[string]int           // creation token -> things made under it
	busy    map[string]int           // logical id -> deletions refused with DependencyViolation
	kill    bool                     // the process dies after the next effect
}

// effect is called after anything was changed.
func (c *cloud) effect() {
	if c.kill {
		c.kill = false
		panic(killed{})
	}
}

type thingRow struct {
	owner, size string
	tags        map[string]string
	ready       time.Time
	uses        []string
}

func newCloud() *cloud {
	return &cloud{things: map[string]*thingRow{}, fails: map[string]string{}, slow: map[string]time.Duration{}, created: map[string]int{}, busy: map[string]int{}}
}

// thing is the property struct of most fake types: Kind replaces, Size updates.
type thing struct {
	ID   string `cfn:"id,readOnly"`
	Kind string `cfn:"createOnly"`
	Size *int
	Uses []string
	Tags []cfn.Tag
	Doc  any
	Arn  string `cfn:"readOnly"`
}

func (c *cloud) types() []cfn.Type {
	return []cfn.Type{
		cfn.Of("T::Thing", things{c}),
		cfn.Of("T::Named", named{c}),
		cfn.Of("T::Fixed", fixed{c}),
		cfn.Of("AWS::IAM::Role", role{}),
		cfn.Of("T::Blocking", blocking{c}),
	}
}

type things struct{ *cloud }

func (c *cloud) failing(verb, id string) error {
	if msg, ok := c.fails[verb+" "+id]; ok {
		return awsapi.Errorf("InvalidParameterException", 400, "%s", msg)
	}
	return nil
}

func (c *cloud) put(ctx context.Context, id string, size *int, uses []string, own []cfn.Tag) error {
	r, _ := cfn.From(ctx)
	if err := c.failing("create", r.LogicalID); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.things[id]; old != nil {
		if old.owner != r.StackName+"/"+r.LogicalID {
			return awsapi.Errorf("AlreadyExists", 400, "%s already exists", id)
		}
		return nil // ours, from before a crash
	}
	for _, used := range uses {
		if c.things[used] == nil {
			return awsapi.Errorf("Broken", 400, "%s is made before %s, which it uses", id, used)
		}
	}
	c.created[r.Token]++
	c.things[id] = &thingRow{owner: r.StackName + "/" + r.LogicalID, size: sizeText(size), tags: r.AllTags(own), ready: time.Now().Add(c.slow[r.LogicalID]), uses: uses}
	c.effect()
	return nil
}

func sizeText(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func (c *cloud) remove(ctx context.Context, id string) error {
	r, _ := cfn.From(ctx)
	if err := c.failing("delete", r.LogicalID); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[r.LogicalID] > 0 {
		c.busy[r.LogicalID]--
		return awsapi.Errorf("DependencyViolation", 400, "%s has dependencies", id)
	}
	for other, row := range c.things {
		if slices.Contains(row.uses, id) {
			return awsapi.Errorf("Broken", 400, "%s is used by %s", id, other)
		}
	}
	delete(c.things, id)
	c.effect()
	return nil
}

func (h things) Create(ctx context.Context, p *thing) error {
	r, _ := cfn.From(ctx)
	id := awsapi.NewID(ctx, strings.ToLower(r.LogicalID)+"-", 6)
	if err := h.put(ctx, id, p.Size, p.Uses, p.Tags); err != nil {
		return err
	}
	p.ID, p.Arn = id, "arn:fake:"+id
	return nil
}

func (h things) Read(_ context.Context, p *thing) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.things[p.ID] == nil {
		return store.ErrNotFound
	}
	if why, ok := h.fails["read "+p.ID]; ok {
		return errors.New(why)
	}
	return h.things[p.ID].tell(p)
}

// tell fills in what a thing is by now.
func (row *thingRow) tell(p *thing) error {
	p.Size, p.Uses, p.Tags = nil, row.uses, nil
	if n, err := strconv.Atoi(row.size); err == nil {
		p.Size = &n
	}
	for _, k := range slices.Sorted(maps.Keys(row.tags)) {
		p.Tags = append(p.Tags, cfn.Tag{Key: k, Value: row.tags[k]})
	}
	return nil
}

// find is the thing of a logical id, with its own id.
func (c *cloud) find(logical string) (string, *thingRow) {
	for id, row := range c.things {
		if strings.HasSuffix(row.owner, "/"+logical) {
			return id, row
		}
	}
	return "", &thingRow{}
}

func (h things) Delete(ctx context.Context, p *thing) error { return h.remove(ctx, p.ID) }

func (h things) Update(ctx context.Context, _, after *thing) error {
	r, _ := cfn.From(ctx)
	if err := h.failing("update", r.LogicalID); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	row := h.things[after.ID]
	if row == nil {
		return store.ErrNotFound
	}
	row.size, row.uses, row.tags = sizeText(after.Size), after.Uses, r.AllTags(after.Tags)
	row.ready = time.Now().Add(h.slow[r.LogicalID])
	h.effect()
	return nil
}

func (h things) Settled(ctx context.Context, p *thing) (bool, error) {
	r, _ := cfn.From(ctx)
	if err := h.failing("settle", r.LogicalID); err != nil {
		return false, errors.New(h.fails["settle "+r.LogicalID])
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	row := h.things[p.ID]
	return row != nil && !time.Now().Before(row.ready), nil
}

// namedThing is a type whose name is its id.
type namedThing struct {
	Name string `cfn:"id,createOnly"`
	Kind string `cfn:"createOnly"`
	Size *int
}

type named struct{ *cloud }

func (h named) Create(ctx context.Context, p *namedThing) error {
	if p.Name == "" {
		r, _ := cfn.From(ctx)
		p.Name = r.Name(40)
	}
	name := p.Name
	if err := h.put(ctx, name, p.Size, nil, nil); err != nil {
		p.Name = ""
		return err
	}
	return nil
}

func (h named) Read(_ context.Context, p *namedThing) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.things[p.Name] == nil {
		return store.ErrNotFound
	}
	return nil
}

func (h named) Delete(ctx context.Context, p *namedThing) error { return h.remove(ctx, p.Name) }

func (h named) Update(_ context.Context, _, after *namedThing) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.things[after.Name].size = sizeText(after.Size)
	return nil
}

// fixedThing cannot be updated.
type fixedThing struct {
	ID    string `cfn:"id,readOnly"`
	Value string `cfn:"required"`
}

type fixed struct{ *cloud }

func (h fixed) Create(ctx context.Context, p *fixedThing) error {
	r, _ := cfn.From(ctx)
	id := awsapi.NewID(ctx, strings.ToLower(r.LogicalID)+"-", 6)
	if err := h.put(ctx, id, nil, nil, nil); err != nil {
		return err
	}
	p.ID = id
	return nil
}

func (h fixed) Read(context.Context, *fixedThing) error { return nil }

func (h fixed) Delete(ctx context.Context, p *fixedThing) error { return h.remove(ctx, p.ID) }

// role is here for the capabilities that templates with IAM resources need.
type role struct{}

type roleProperties struct {
	RoleName string `cfn:"id"`
	Path     string
}

func (role) Create(ctx context.Context, p *roleProperties) error {
	if r, _ := cfn.From(ctx); p.RoleName == "" {
		p.RoleName = r.Name(64)
	}
	return nil
}

func (role) Read(context.Context, *roleProperties) error { return nil }

func (role) Delete(context.Context, *roleProperties) error { return nil }

// blocking is a type whose Create itself takes a while, and gives up when its context ends.
type blocking struct{ *cloud }

func (h blocking) Create(ctx context.Context, p *fixedThing) error {
	r, _ := cfn.From(ctx)
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting: %w", ctx.Err())
	case <-time.After(h.slow[r.LogicalID]):
	}
	return fixed(h).Create(ctx, p)
}

func (h blocking) Read(context.Context, *fixedThing) error { return nil }

func (h blocking) Delete(ctx context.Context, p *fixedThing) error { return h.remove(ctx, p.ID) }

// list is the cloud's content, one line a thing, random ids left out.
func (c *cloud) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(c.things)) {
		t := c.things[id]
		var tags []string
		for _, k := range slices.Sorted(maps.Keys(t.tags)) {
			if !strings.HasPrefix(k, "aws:") {
				tags = append(tags, k+"="+t.tags[k])
			}
		}
		line := t.owner + " size " + t.size
		if len(tags) > 0 {
			line += " tags " + strings.Join(tags, ",")
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}
