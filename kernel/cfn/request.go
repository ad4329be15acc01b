package cfn

import (
	"context"
	"crypto/sha256"
	"maps"
	"strings"
	"time"
)

// Request says on whose behalf a handler is called. It travels in the context.
type Request struct {
	StackID   string // ARN of the stack
	StackName string
	LogicalID string
	// Token names this piece of work: the same after a crash, another for the next creation of the same logical id.
	Token string
	// PhysicalID is empty during Create.
	PhysicalID string
	// Operation names the stack operation; Type is the resource's type as the template names it.
	Operation, Type string
	// Beside is another version of the same resource: in Create of a replacement the one that it replaces, in Delete of a version the one that stays. Most
	// types need not know it; it is for what there can be only one of. Zero when there is none.
	Beside Instance
	// Reverting: this is an update that brings back what was before.
	Reverting bool
	// Skip are resources of a nested stack that are left as they are when it is brought back.
	Skip []string
	// Signals is what the resource's creation policy waits for; nil without one.
	Signals *Signals
	// Tags are the stack's tags with aws:cloudformation:stack-id, stack-name and logical-id.
	Tags map[string]string
}

// Signals is a CreationPolicy's ResourceSignal.
type Signals struct {
	Count   int
	Timeout time.Duration
}

type requestKey struct{}

// With returns a context that carries r.
func With(ctx context.Context, r Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// From returns the request ctx carries; false outside of a stack operation.
func From(ctx context.Context) (Request, bool) {
	r, ok := ctx.Value(requestKey{}).(Request)
	return r, ok
}

// Tag keys that CloudFormation sets itself on everything it makes.
const (
	TagStackID   = "aws:cloudformation:stack-id"
	TagStackName = "aws:cloudformation:stack-name"
	TagLogicalID = "aws:cloudformation:logical-id"
)

// base32 without look-alikes, in the manner of the suffixes CloudFormation generates ("1A2B3C4D5E6F7").
const suffixAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

const suffixLen = 12

// Name is the name CloudFormation generates for a resource whose template names none: "<stack>-<logical id>-<12 random characters>", cut to limit by
// shortening the stack's and the logical name. It is the same for the same token. limit counts characters; below 14 only the random part is left.
func (r Request) Name(limit int) string {
	sum := sha256.Sum256([]byte(r.StackID + "\x00" + r.LogicalID + "\x00" + r.Token))
	var suffix strings.Builder
	for _, b := range sum[:suffixLen] {
		suffix.WriteByte(suffixAlphabet[int(b)%len(suffixAlphabet)])
	}
	room := limit - suffixLen - 2
	if room < 2 {
		return suffix.String()[:min(suffixLen, max(limit, 0))]
	}
	stack, logical := r.StackName, r.LogicalID
	if over := len(stack) + len(logical) - room; over > 0 {
		half := room / 2
		stackLen := max(half, room-len(logical))
		stack = strings.TrimRight(stack[:min(len(stack), stackLen)], "-")
		logical = logical[:min(len(logical), room-len(stack))]
	}
	return stack + "-" + logical + "-" + suffix.String()
}

// AllTags is the stack's tags overlaid with the resource's own.
func (r Request) AllTags(own []Tag) map[string]string {
	all := maps.Clone(r.Tags)
	if all == nil {
		all = make(map[string]string, len(own))
	}
	for _, t := range own {
		all[t.Key] = t.Value
	}
	return all
}

// TagsOf lists tags as a Tags property has them, by key: those of CloudFormation itself are not among them.
func TagsOf(all map[string]string) []Tag {
	var out []Tag
	for _, k := range sortedKeys(all) {
		if !strings.HasPrefix(k, "aws:") {
			out = append(out, Tag{Key: k, Value: all[k]})
		}
	}
	return out
}

// Owns reports whether a row with these tags was made for this stack and logical id: after a crash, a named resource that exists already is then ours.
func (r Request) Owns(tags map[string]string) bool {
	return r.StackID != "" && tags[TagStackID] == r.StackID && tags[TagLogicalID] == r.LogicalID
}
