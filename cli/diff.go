package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
	"github.com/slipway-dev/slipway/images"
)

func (a *app) diffCommand() *cobra.Command {
	var noBuild, exitCode bool
	cmd := &cobra.Command{
		Use: "diff", Short: "Show what deploy would change", Args: cobra.NoArgs,
		Long: "Show what deploy would change, by a CloudFormation change set that is not executed: + is made, ~ is changed, - is deleted;\n" +
			"\"replaced\" means that a new one is made before the old one is deleted. Images are built, because their tags are part of it, but not pushed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.manifest()
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			d, err := a.deployment(m, c)
			if err != nil {
				return err
			}
			var built []images.Image
			if !noBuild {
				if built, err = a.build(cmd.Context(), m, m.Services); err != nil {
					return err
				}
			}
			r, err := d.diff(cmd.Context(), built)
			if err != nil {
				return err
			}
			if err := a.showDiff(r); err != nil {
				return err
			}
			if exitCode && len(r.Changes) > 0 {
				return &codedError{exitFailed, &quietError{}}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "compare with the images that are deployed")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 when there are changes")
	return cmd
}

// diffReport is what diff prints as JSON.
type diffReport struct {
	Stack   string       `json:"stack"`
	Exists  bool         `json:"exists"`
	Changes []diffChange `json:"changes"`
}

type diffChange struct {
	Action      string   `json:"action"` // Add, Modify, Remove
	ID          string   `json:"logicalId"`
	Type        string   `json:"type"`
	Replacement string   `json:"replacement,omitempty"` // True, False, Conditional
	Properties  []string `json:"properties"`            // that change
}

// diff asks for a change set and deletes it again.
func (d *deployment) diff(ctx context.Context, built []images.Image) (*diffReport, error) {
	r := &diffReport{Stack: d.manifest.StackName(), Changes: []diffChange{}}
	st, err := d.stack(ctx)
	if err != nil {
		return nil, err
	}
	if st == nil || dead[st.StackStatus] {
		for _, res := range d.template.Resources {
			r.Changes = append(r.Changes, diffChange{Action: "Add", ID: res.ID, Type: res.Type, Properties: []string{}})
		}
		return r, nil
	}
	r.Exists = true
	set, err := call[cfnapi.CreateChangeSetInput, cfnapi.CreateChangeSetOutput](ctx, d.client, "cloudformation", "CreateChangeSet", &cfnapi.CreateChangeSetInput{
		StackName: st.StackId, ChangeSetName: new("slipway-diff-" + strconv.FormatInt(time.Now().UnixNano(), 36)), ChangeSetType: "UPDATE",
		TemplateBody: new(string(d.template.Body())), Parameters: d.parameters(st, built), Tags: d.tags(), Capabilities: capabilities,
	})
	if err != nil {
		return nil, err
	}
	defer func() { // also after ^C; one that is left over harms nothing
		_, _ = call[cfnapi.DeleteChangeSetInput, cfnapi.DeleteChangeSetOutput](context.WithoutCancel(ctx), d.client, "cloudformation", "DeleteChangeSet",
			&cfnapi.DeleteChangeSetInput{ChangeSetName: set.Id})
	}()
	r.Changes, err = d.changes(ctx, val(set.Id))
	return r, err
}

// changes waits for a change set and reads it.
func (d *deployment) changes(ctx context.Context, set string) ([]diffChange, error) {
	changes := []diffChange{}
	in := &cfnapi.DescribeChangeSetInput{ChangeSetName: &set}
	for {
		out, err := call[cfnapi.DescribeChangeSetInput, cfnapi.DescribeChangeSetOutput](ctx, d.client, "cloudformation", "DescribeChangeSet", in)
		if err != nil {
			return nil, err
		}
		switch out.Status {
		case "CREATE_PENDING", "CREATE_IN_PROGRESS":
			if err := wait(ctx, pollEvery); err != nil {
				return nil, err
			}
			continue
		case "FAILED":
			if strings.Contains(val(out.StatusReason), "didn't contain changes") || strings.Contains(val(out.StatusReason), "No updates are to be performed") {
				return changes, nil
			}
			return nil, fmt.Errorf("change set: %s", val(out.StatusReason))
		}
		for _, c := range out.Changes {
			if c.ResourceChange != nil {
				changes = append(changes, newDiffChange(*c.ResourceChange))
			}
		}
		if out.NextToken == nil {
			return changes, nil
		}
		in.NextToken = out.NextToken
	}
}

func newDiffChange(c cfnapi.ResourceChange) diffChange {
	out := diffChange{
		Action: string(c.Action), ID: val(c.LogicalResourceId), Type: val(c.ResourceType), Replacement: string(c.Replacement), Properties: []string{},
	}
	for _, d := range c.Details {
		if d.Target == nil {
			continue
		}
		name := val(d.Target.Name)
		if name == "" {
			name = string(d.Target.Attribute) // Tags, Metadata
		}
		if !slices.Contains(out.Properties, name) {
			out.Properties = append(out.Properties, name)
		}
	}
	slices.Sort(out.Properties)
	return out
}

func (a *app) showDiff(r *diffReport) error {
	if a.json {
		return a.print(r)
	}
	if len(r.Changes) == 0 {
		fmt.Fprintf(a.out, "%s is as the manifest says\n", r.Stack)
		return nil
	}
	count := map[string]int{}
	for _, c := range r.Changes {
		count[c.Action]++
		mark := map[string]string{"Add": a.green("+"), "Modify": a.yellow("~"), "Remove": a.red("-")}[c.Action]
		if mark == "" {
			mark = c.Action
		}
		row := fmt.Sprintf("%s %-32s %s", mark, c.ID, a.faint(c.Type))
		switch c.Replacement {
		case "True":
			row += "  " + a.red("replaced")
		case "Conditional":
			row += "  " + a.yellow("may be replaced")
		}
		if len(c.Properties) > 0 {
			row += "  " + strings.Join(c.Properties, ", ")
		}
		fmt.Fprintln(a.out, row)
	}
	what := "would change in " + r.Stack
	if !r.Exists {
		what = "would be made as " + r.Stack
	}
	fmt.Fprintf(a.out, "%d added, %d changed, %d deleted %s\n", count["Add"], count["Modify"], count["Remove"], what)
	return nil
}
