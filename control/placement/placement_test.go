package placement_test

import (
	"testing"

	"github.com/slipway-dev/slipway/control/placement"
)

func TestProvidersGetTheirShare(t *testing.T) {
	count := func(n int, ps []placement.Provider) []int {
		for range n {
			if at := placement.Choose(ps); at >= 0 {
				ps[at].Tasks++
			}
		}
		var out []int
		for _, p := range ps {
			out = append(out, p.Tasks)
		}
		return out
	}
	for _, tc := range []struct {
		name  string
		n     int
		ps    []placement.Provider
		tasks []int
	}{
		{"one to four", 10, []placement.Provider{{Weight: 1}, {Weight: 4}}, []int{2, 8}},
		{"the base comes first", 2, []placement.Provider{{Weight: 1}, {Base: 2, Weight: 1}}, []int{0, 2}},
		{"weight nothing places nothing beyond the base", 5, []placement.Provider{{Base: 2}, {Weight: 1}}, []int{2, 3}},
		{"a single provider takes all", 7, []placement.Provider{{Base: 2, Weight: 1}}, []int{7}},
	} {
		if got := count(tc.n, tc.ps); len(got) != len(tc.tasks) || got[0] != tc.tasks[0] || got[len(got)-1] != tc.tasks[len(got)-1] {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.tasks)
		}
	}
}
