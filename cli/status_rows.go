package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// reportRows renders a report as lines, cut to width unless it is 0.
//
//	payment  2/2 running, 2 healthy
//	└─ payment-service-dev:3  COMPLETED  12m
//	   ├─ 1f0c9a2b  RUNNING  healthy  us-east-1a  10.0.3.4  FARGATE_SPOT  12m
func (a *app) reportRows(r *statusReport, now time.Time, width int) []string {
	rows := []string{fmt.Sprintf("%s  %s", a.bold(r.Stack), a.state(r.State))}
	if r.State == "NOT_DEPLOYED" {
		return append(rows, "deploy it with: slipway up")
	}
	for _, s := range r.Services {
		rows = append(rows, "")
		rows = append(rows, a.serviceRows(s, now)...)
	}
	if width > 0 {
		for i := range rows {
			rows[i] = ansi.Truncate(rows[i], width-1, "…")
		}
	}
	return rows
}

func (a *app) serviceRows(s serviceReport, now time.Time) []string {
	mark := a.green("●")
	if !s.Steady {
		mark = a.yellow("●")
		if s.Running == 0 && s.Desired > 0 || s.State == "MISSING" {
			mark = a.red("●")
		}
	}
	if s.State == "MISSING" {
		return []string{fmt.Sprintf("%s %s  not deployed", mark, a.bold(s.Name))}
	}
	head := fmt.Sprintf("%s %s  %d/%d running, %d healthy", mark, a.bold(s.Name), s.Running, s.Desired, s.Healthy)
	if s.Pending > 0 {
		head += fmt.Sprintf(", %d pending", s.Pending)
	}
	if s.State != "ACTIVE" {
		head += "  " + a.yellow(s.State)
	}
	rows := []string{head}
	for i, d := range s.Deployments {
		last := i == len(s.Deployments)-1
		branch, stem := "├─ ", "│  "
		if last {
			branch, stem = "└─ ", "   "
		}
		rows = append(rows, a.faint(branch)+a.deploymentRow(d, now))
		if d.Reason != "" && d.Rollout != "COMPLETED" {
			rows = append(rows, a.faint(stem)+a.faint(d.Reason))
		}
		for j, t := range d.Tasks {
			twig, under := "├─ ", "│  "
			if j == len(d.Tasks)-1 {
				twig, under = "└─ ", "   "
			}
			rows = append(rows, a.faint(stem+twig)+a.taskRow(t, now))
			for _, why := range t.why() {
				rows = append(rows, a.faint(stem+under)+"   "+a.yellow(why))
			}
		}
	}
	if !s.Steady {
		rows = append(rows, a.amiss(s, now)...)
	}
	return rows
}

// amiss says what is known about a service that is not steady.
func (a *app) amiss(s serviceReport, now time.Time) (rows []string) {
	if t := s.LastStop; t != nil {
		at := t.Created
		if t.Stopped != nil {
			at = *t.Stopped
		}
		rows = append(rows, fmt.Sprintf("   %s task %s (%s) failed %s ago: %s", a.red("✗"), brief(t.ID), t.Revision, age(at, now), t.Reason))
		for _, c := range t.Containers {
			if c.ExitCode != nil {
				rows = append(rows, fmt.Sprintf("     container %s exited with code %d", c.Name, *c.ExitCode))
			}
		}
		rows = append(rows, a.faint(fmt.Sprintf("     its log: slipway logs %s --task %s", s.Name, brief(t.ID))))
	}
	if s.LastEvent != "" {
		rows = append(rows, "   "+a.faint("last event: "+s.LastEvent))
	}
	return rows
}

func (a *app) deploymentRow(d deploymentReport, now time.Time) string {
	row := fmt.Sprintf("%s  %s  %s", d.Revision, a.state(d.Rollout), a.faint(age(d.Created, now)))
	if d.Rollout != "COMPLETED" {
		row += fmt.Sprintf("  %d desired, %d running, %d pending, %d failed", d.Desired, d.Running, d.Pending, d.Failed)
	}
	if d.Role != "PRIMARY" {
		row += "  " + a.faint("going away")
	}
	return row
}

func (a *app) taskRow(t taskReport, now time.Time) string {
	health := strings.ToLower(t.Health)
	switch health {
	case "unknown", "":
		health = ""
	case "healthy":
		health = a.green("healthy")
	default:
		health = a.red(health)
	}
	cells := []string{brief(t.ID), a.state(t.Status), health}
	for _, g := range t.Targets {
		cells = append(cells, "target "+a.state(g.State))
	}
	cells = append(cells, t.Zone, t.IP, t.Capacity, a.faint(age(t.Created, now)))
	var row []string
	for _, c := range cells {
		if c != "" {
			row = append(row, c)
		}
	}
	return strings.Join(row, "  ")
}

// why says what keeps a task from serving, a line each.
func (t taskReport) why() (lines []string) {
	if t.Reason != "" && t.Status != "RUNNING" {
		lines = append(lines, t.Reason)
	}
	for _, g := range t.Targets {
		if g.State != "healthy" && g.Text != "" {
			lines = append(lines, fmt.Sprintf("target is %s: %s (%s)", g.State, g.Text, g.Reason))
		}
	}
	return lines
}

// state paints the word for a state.
func (a *app) state(s string) string {
	switch {
	case strings.HasSuffix(s, "FAILED") || strings.Contains(s, "ROLLBACK") || s == "unhealthy" || s == "STOPPED" || s == "UNHEALTHY":
		return a.red(s)
	case strings.HasSuffix(s, "COMPLETE") || s == "COMPLETED" || s == "RUNNING" || s == "healthy":
		return a.green(s)
	}
	return a.yellow(s)
}

// brief is enough of a task's id to tell it from others.
func brief(id string) string { return id[:min(8, len(id))] }

// age is the time since then in its largest unit or two.
func age(then, now time.Time) string {
	d := max(now.Sub(then), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
