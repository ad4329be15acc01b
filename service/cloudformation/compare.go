package cloudformation

import (
	"bytes"

	"github.com/slipway-dev/slipway/kernel/cfn"
)

// Change is what a change set says of one resource.
type Change struct {
	Action      string // Add, Modify, Remove
	LogicalID   string
	PhysicalID  string
	Type        string
	Named       string // the physical id that the template gives a resource of an Add; "" when the service makes it up
	Replacement string // True, False, Conditional; "" unless Modify
	Scope       []string
	Policy      string // ReplaceAndDelete, ReplaceAndRetain, Delete, Retain, ...
	Details     []Detail
	ChangeSet   string // ARN of the change set of the nested stack that the resource is
}

// Detail is one reason of a Change.
type Detail struct {
	Attribute  string // Properties, Metadata, Tags, DeletionPolicy, UpdateReplacePolicy
	Name       string
	Path       string
	Recreation cfn.Recreation
	Before     string
	After      string
	Evaluation string // Static or Dynamic
	Source     string // DirectModification, ParameterReference, ResourceReference, ResourceAttribute
	Cause      string
}

// comparison is what has to be done to turn one version of a resource into the next.
type comparison struct {
	Replacement string // True, False, Conditional
	Handled     bool   // the handler has work; else only the row changes
	Automatic   bool   // a nested stack, whose template may be another by now
	Clash       string // the name that two resources would have, when a replacement cannot be made
	Scope       []string
	Differences []cfn.Difference
}

func (c comparison) any() bool { return len(c.Scope) > 0 || c.Automatic }

func (c *comparison) scope(name string) {
	for _, s := range c.Scope {
		if s == name {
			return
		}
	}
	c.Scope = append(c.Scope, name)
}

// compare finds what differs between a version and the next, whose properties are props.
func compare(t cfn.Type, old, next Version, props map[string]any) comparison {
	c := comparison{Replacement: "False", Automatic: t.Name() == stackType, Handled: t.Name() == stackType}
	before := old.properties()
	c.Differences = t.Diff(before, props)
	for _, d := range c.Differences {
		c.Handled = true
		if d.Property == "Tags" {
			c.scope("Tags")
		} else {
			c.scope("Properties")
		}
		switch {
		case d.Recreation == cfn.Always:
			c.Replacement = "True"
		case d.Recreation == cfn.Conditionally && c.Replacement == "False":
			c.Replacement = "Conditional"
		}
	}
	if old.StackTags != next.StackTags && t.Taggable() && t.Updatable() {
		c.Handled = true
		c.scope("Tags")
	}
	if !bytes.Equal(old.Metadata, next.Metadata) {
		c.scope("Metadata")
	}
	if old.DeletePolicy != next.DeletePolicy {
		c.scope("DeletionPolicy")
	}
	if old.ReplPolicy != next.ReplPolicy {
		c.scope("UpdateReplacePolicy")
	}
	if c.Replacement == "True" && t.CustomNamed(before) && cfn.Same(before[t.IDProperty()], props[t.IDProperty()]) {
		c.Clash = old.PhysicalID
	}
	return c
}
