package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

func (a *app) execCommand() *cobra.Command {
	var container string
	cmd := &cobra.Command{
		Use: "exec SERVICE|TASK [-c CONTAINER] -- COMMAND...", Short: "Run a command in a running container",
		Long: "Run a command in a container of a task: of the youngest healthy one of a service, or of the task with an id (or the beginning of one).\n" +
			"At a terminal the command gets a terminal too. Its exit code becomes that of slipway; 255 means that it could not be run.",
		Example:           "  slipway exec payment -- /app healthcheck\n  slipway exec 1f0c9a2b -c envoy -- sh",
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().StringVarP(&container, "container", "c", "", "container; default: the service's own")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) < 2 {
			return usage("say what to run, such as: slipway exec %s -- sh", args[0])
		}
		p, err := a.platform()
		if err != nil {
			return err
		}
		t, err := p.taskOf(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return p.exec(cmd.Context(), t, container, args[1:])
	}
	return cmd
}

// taskOf finds the running task that a word names: a service or a task.
func (p *platform) taskOf(ctx context.Context, word string) (ecsapi.Task, error) {
	tasks, err := p.tasks(ctx, "RUNNING", "") // youngest first
	if err != nil {
		return ecsapi.Task{}, err
	}
	s, isService := p.service(word)
	var found []ecsapi.Task
	for _, t := range tasks {
		id := short(val(t.TaskArn))
		switch {
		case isService && p.serviceOf(t) == s.Name && val(t.LastStatus) == "RUNNING":
			found = append(found, t)
		case !isService && len(word) >= 4 && strings.HasPrefix(id, short(word)):
			found = append(found, t)
		}
	}
	switch {
	case isService && len(found) == 0:
		return ecsapi.Task{}, fmt.Errorf("no task of %s runs; see: slipway status %s", s.Name, s.Name)
	case isService:
		if i := slices.IndexFunc(found, func(t ecsapi.Task) bool { return t.HealthStatus == "HEALTHY" }); i > 0 {
			return found[i], nil
		}
		return found[0], nil
	case len(found) == 0:
		if strings.Trim(word, "0123456789abcdef") == "" && len(word) >= 4 {
			return ecsapi.Task{}, usage("no task %s runs; see: slipway ps -a", word)
		}
		return ecsapi.Task{}, p.unknown(word)
	case len(found) > 1:
		return ecsapi.Task{}, usage("%d tasks begin with %s; give more of the id (see: slipway ps)", len(found), word)
	}
	return found[0], nil
}

// exec opens a session of ECS Exec and runs it.
func (p *platform) exec(ctx context.Context, t ecsapi.Task, container string, command []string) error {
	if container == "" && len(t.Containers) > 1 {
		own := p.names.Container(p.serviceOf(t))
		if !slices.ContainsFunc(t.Containers, func(c ecsapi.Container) bool { return val(c.Name) == own }) {
			var names []string
			for _, c := range t.Containers {
				names = append(names, val(c.Name))
			}
			return usage("name one of the containers with -c: %s", strings.Join(names, ", "))
		}
		container = own
	}
	in := &ecsapi.ExecuteCommandInput{
		Cluster: new(p.names.Cluster()), Task: t.TaskArn, Command: new(quoted(command)), Interactive: new(true),
	}
	if container != "" {
		in.Container = &container
	}
	out, err := call[ecsapi.ExecuteCommandInput, ecsapi.ExecuteCommandOutput](ctx, p.client, "ecs", "ExecuteCommand", in)
	if err != nil {
		return err
	}
	code, err := p.session(ctx, val(out.Session.StreamUrl), val(out.Session.TokenValue))
	if err != nil {
		return err
	}
	if code != 0 {
		return &codedError{code, &quietError{}}
	}
	return nil
}

// quoted makes a command line of words that ECS Exec takes apart again.
func quoted(words []string) string {
	var out []string
	for _, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}
