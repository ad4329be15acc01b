package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) topCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use: "top [SERVICE...]", Short: "Show what services use and how much they serve, from CloudWatch",
		Long: "Show CPU and memory of services, as percentages of what their tasks reserve (average, and the task that uses most), and the requests that\n" +
			"the load balancer sent them: rate, latency at the 99th percentile, answers with 5xx. All of it comes from CloudWatch, so it is the last\n" +
			"minute's. On a terminal the view is refreshed until ^C.",
		Example:           "  slipway top\n  slipway top payment --once\n  slipway top --json | jq '.services[] | select(.cpuMaximum > 80)'",
		ValidArgsFunction: a.completeServices,
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once, on a terminal too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, chosen, err := a.platformWith(args)
		if err != nil {
			return err
		}
		read := func(ctx context.Context) ([]usageReport, error) { return p.usage(ctx, chosen, time.Now()) }
		if a.live() && !once {
			return watching(cmd.Context(), p, read, a.usageRows)
		}
		list, err := read(cmd.Context())
		if err != nil {
			return err
		}
		if a.json {
			return a.print(map[string]any{"services": list})
		}
		return a.printRows(a.usageRows(list, time.Now()))
	}
	return cmd
}

// usageReport is what one service uses and serves. A value that CloudWatch
// does not have is nil: nothing was measured yet, or nobody asked.
type usageReport struct {
	Service     string   `json:"service"`
	Running     int      `json:"running"`
	Desired     int      `json:"desired"`
	CPU         *float64 `json:"cpu"` // percent of what is reserved, average of the tasks
	CPUMax      *float64 `json:"cpuMaximum"`
	Memory      *float64 `json:"memory"` // percent of what is reserved
	MemoryMax   *float64 `json:"memoryMaximum"`
	MemoryMiB   *float64 `json:"memoryMiB"`             // of all tasks; with Container Insights
	Requests    *float64 `json:"requestsPerSecond"`     // that targets were sent
	LatencyP99  *float64 `json:"latencyP99"`            // seconds
	ServerError *float64 `json:"serverErrorsPerSecond"` // answers of targets with 5xx
}

// usageRows is the table of top.
func (a *app) usageRows(list []usageReport, _ time.Time) []string {
	table := [][]string{{"SERVICE", "TASKS", "CPU %", "MAX", "MEM %", "MAX", "MEM MiB", "REQ/S", "P99 ms", "5XX/S"}}
	for i := range table[0] {
		table[0][i] = a.faint(table[0][i])
	}
	for _, u := range list {
		errors := figure(u.ServerError, 1, 2)
		if val(u.ServerError) > 0 {
			errors = a.red(errors)
		}
		table = append(table, []string{
			a.bold(u.Service), fmt.Sprintf("%d/%d", u.Running, u.Desired), a.hot(u.CPU), a.hot(u.CPUMax), a.hot(u.Memory), a.hot(u.MemoryMax),
			figure(u.MemoryMiB, 1, 0), figure(u.Requests, 1, 1), figure(u.LatencyP99, 1000, 1), errors,
		})
	}
	return columns(table, 1, len(table[0])-1)
}

// figure prints a value times a factor with so many digits; - for none.
func figure(v *float64, factor float64, digits int) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v*factor, 'f', digits, 64)
}

// hot is a percentage, painted where it nears its limit.
func (a *app) hot(v *float64) string {
	out := figure(v, 1, 1)
	switch {
	case val(v) >= 90:
		return a.red(out)
	case val(v) >= 70:
		return a.yellow(out)
	}
	return out
}
