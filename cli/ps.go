package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipway-dev/slipway/api/ecsapi"
)

func (a *app) psCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "ps [SERVICE...]", Short: "List tasks with their containers; -a those that have stopped as well",
		Long:              "List the tasks and their containers with runtime ids and exit codes. With -a the tasks that have stopped in the last hour are shown too, and why they did.",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "show stopped tasks too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		tasks := []taskReport{}
		for _, desired := range []ecsapi.DesiredStatus{"RUNNING", "STOPPED"} {
			list, err := p.tasks(cmd.Context(), desired, "")
			if err != nil {
				return err
			}
			for _, t := range list {
				name := p.serviceOf(t)
				wanted := len(args) == 0
				for _, s := range chosen {
					wanted = wanted || s.Name == name
				}
				if wanted && (all || val(t.LastStatus) != "STOPPED") {
					tasks = append(tasks, newTaskReport(name, t, nil))
				}
			}
		}
		slices.SortStableFunc(tasks, func(x, y taskReport) int {
			if n := strings.Compare(x.Service, y.Service); n != 0 {
				return n
			}
			return x.Created.Compare(y.Created)
		})
		if a.json {
			return a.print(map[string]any{"tasks": tasks})
		}
		return a.taskTable(tasks, time.Now())
	}
	return cmd
}

// taskTable prints a line for each container. Colours would upset the columns.
func (a *app) taskTable(tasks []taskReport, now time.Time) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tTASK\tCONTAINER\tSTATUS\tEXIT\tHEALTH\tAGE\tIP\tRUNTIME ID\tIMAGE\tREASON")
	for _, t := range tasks {
		service := t.Service
		if service == "" {
			service = "-"
		}
		reason := t.Reason
		for _, c := range t.Containers {
			exit := "-"
			if c.ExitCode != nil {
				exit = strconv.Itoa(int(*c.ExitCode))
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", service, brief(t.ID), c.Name, c.Status, exit,
				orDash(strings.ToLower(strings.TrimSuffix(c.Health, "UNKNOWN"))), age(t.Created, now), t.IP, orDash(c.RuntimeID), short(c.Image), reason)
			reason = "" // once a task
		}
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
