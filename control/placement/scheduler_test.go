package placement_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/control/placement"
)

// Whatever is asked: nothing is over-committed, a lost node gets nothing, and a
// task is refused only when it fits nowhere it may go.
func TestNothingIsOverCommitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var nodes []placement.Node
		cpu, memory, count := map[string]int{}, map[string]int{}, map[string]int{}
		for i := range rapid.IntRange(1, 12).Draw(t, "nodes") {
			nodes = append(nodes, placement.Node{
				Name: fmt.Sprint("n", i), Zone: string(rune('a' + i%3)), CPU: rapid.IntRange(1, 8).Draw(t, "cpu") * 256,
				Memory: rapid.IntRange(1, 8).Draw(t, "memory") * 512, Lost: rapid.IntRange(0, 5).Draw(t, "lost") == 0,
			})
		}
		s := placement.NewScheduler(nodes)
		free := rapid.IntRange(0, 30).Draw(t, "addresses")
		for range 40 {
			d := placement.Demand{CPU: rapid.SampledFrom([]int{256, 512}).Draw(t, "cpu"), Memory: rapid.SampledFrom([]int{512, 1024}).Draw(t, "memory")}
			spread := placement.Spread{}
			for _, z := range []string{"a", "b", "c"} {
				spread[z] = placement.Zone{Tasks: count[z], Free: free - count[z]}
			}
			n, err := s.Place(d, spread)
			if _, ok := errors.AsType[*placement.Unplaceable](err); ok {
				for _, n := range nodes {
					if !n.Lost && cpu[n.Name]+d.CPU <= n.CPU && memory[n.Name]+d.Memory <= n.Memory && spread[n.Zone].Free > 0 {
						t.Fatalf("refused (%v) although %s has room", err, n.Name)
					}
				}
				continue
			}
			cpu[n.Name] += d.CPU
			memory[n.Name] += d.Memory
			count[n.Zone]++
			if n.Lost || cpu[n.Name] > n.CPU || memory[n.Name] > n.Memory || count[n.Zone] > free {
				t.Fatalf("%+v has %d CPU units and %d MiB reserved", n, cpu[n.Name], memory[n.Name])
			}
		}
	})
}

func TestZonesAreEvenWhileThereIsRoom(t *testing.T) {
	var nodes []placement.Node
	for i := range 9 {
		nodes = append(nodes, placement.Node{Name: fmt.Sprint("n", i), Zone: string(rune('a' + i%3)), CPU: 4096, Memory: 8192})
	}
	s, count := placement.NewScheduler(nodes), map[string]int{}
	for range 30 {
		n, err := s.Place(placement.Demand{CPU: 256, Memory: 512}, spreadOf(count))
		if err != nil {
			t.Fatal(err)
		}
		count[n.Zone]++
	}
	if count["a"] != 10 || count["b"] != 10 || count["c"] != 10 {
		t.Errorf("tasks by zone: %v", count)
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	s := placement.NewScheduler([]placement.Node{
		{Name: "a1", Zone: "a", CPU: 256, Memory: 8192},
		{Name: "b1", Zone: "b", CPU: 4096, Memory: 512},
		{Name: "c1", Zone: "c", Lost: true},
		{Name: "d1", Zone: "d"},
	})
	_, err := s.Place(placement.Demand{CPU: 512, Memory: 1024}, placement.Spread{"a": {Free: 1}, "b": {Free: 1}, "c": {Free: 1}, "d": {Free: 0}})
	if err == nil {
		t.Fatal("it was placed")
	}
	for _, want := range []string{"1 lost", "1 without 512 CPU units", "1 without 1024 MiB", "1 without a free address"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
}

func spreadOf(count map[string]int) placement.Spread {
	s := placement.Spread{}
	for _, z := range []string{"a", "b", "c"} {
		s[z] = placement.Zone{Tasks: count[z], Free: 1 << 20}
	}
	return s
}

// BenchmarkPlacement places 1,200 tasks on as many nodes as its name says, with
// and without a spread over three zones.
func BenchmarkPlacement(b *testing.B) {
	const tasks = 1200
	for _, n := range []int{100, 1000, 5000} {
		var nodes []placement.Node
		for i := range n {
			nodes = append(nodes, placement.Node{Name: fmt.Sprint("n", i), Zone: string(rune('a' + i%3)), CPU: 14000, Memory: 32000})
		}
		for _, spread := range []bool{false, true} {
			b.Run(fmt.Sprintf("nodes=%d/spread=%v", n, spread), func(b *testing.B) {
				placed := 0
				for b.Loop() {
					b.StopTimer()
					s, count := placement.NewScheduler(nodes), map[string]int{}
					b.StartTimer()
					for range tasks {
						var zones placement.Spread
						if spread {
							zones = spreadOf(count)
						}
						node, err := s.Place(placement.Demand{CPU: 100, Memory: 150}, zones)
						if err != nil {
							b.Fatal(err)
						}
						count[node.Zone]++
						placed++
					}
				}
				b.ReportMetric(float64(placed)/b.Elapsed().Seconds(), "placements/s")
			})
		}
	}
}
