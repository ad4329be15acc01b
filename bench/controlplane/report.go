package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// report prints a table: a row for each figure, a column for each size, and
// how much the figure grew from the size before.
func report(all []figures) {
	row := func(name string, of func(figures) float64, unit string) {
		var b strings.Builder
		fmt.Fprintf(&b, "%-44s", name)
		for i, f := range all {
			grew := ""
			if i > 0 && of(all[i-1]) > 0 {
				grew = fmt.Sprintf("x%.1f", of(f)/of(all[i-1]))
			}
			fmt.Fprintf(&b, "%10s %-3s%-6s", strconv.FormatFloat(of(f), 'f', decimals(of(f)), 64), unit, grew)
		}
		fmt.Println(strings.TrimRight(b.String(), " "))
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	row("tasks", func(f figures) float64 { return float64(f.tasks) }, "")
	row("deployed, all steady", func(f figures) float64 { return f.deploy.Seconds() }, "s")
	row("  processor time", func(f figures) float64 { return f.deployCPU.Seconds() }, "s")
	row("  of it per task", func(f figures) float64 { return ms(f.deployCPU) / float64(f.tasks) }, "ms")
	row("idle, of a core", func(f figures) float64 { return 100 * f.idle }, "%")
	row("memory", func(f figures) float64 { return float64(f.memory) / 1e6 }, "MB")
	row("  of it per task", func(f figures) float64 { return float64(f.memory) / float64(f.tasks) / 1e3 }, "kB")
	row("one task more, until it runs", func(f figures) float64 { return ms(f.change) }, "ms")
	row("  processor time of a change", func(f figures) float64 { return ms(f.changeCPU) }, "ms")
	row("one zone lost, all replaced", func(f figures) float64 { return f.loss.Seconds() }, "s")
	row("  processor time", func(f figures) float64 { return f.lossCPU.Seconds() }, "s")
	row("killed, to the first answer", func(f figures) float64 { return ms(f.restart) }, "ms")
	row("file of the store", func(f figures) float64 { return float64(f.disk) / 1e6 }, "MB")
}

// decimals are how many a figure needs to say something.
func decimals(v float64) int {
	switch {
	case v >= 100 || v == 0:
		return 0
	case v >= 10:
		return 1
	}
	return 2
}
