package scaling_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/control/scaling"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Each file of testdata is a scenario: the script and the transcript that it
// has to give. A script's first lines configure:
//
//	target 2..10 [insuspended] [outsuspended]
//	tracking NAME TARGET [out 60s] [in 60s] [noin]
//	step NAME ChangeInCapacity LOWER..UPPER:BY... [cooldown 60s] [magnitude 2]
//	current 2
//
// and each of the others is a call:
//
//	1m NAME high|low|quiet VALUE|? [NAME ...] [deploying]
//
// at that time after the start. The first name is that of the policy whose
// alarm calls; a step's VALUE is the difference to its threshold.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(a.Files[0].Data))
			if *update {
				a.Files = []txtar.File{a.Files[0], {Name: "transcript", Data: []byte(got)}}
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if len(a.Files) < 2 || string(a.Files[1].Data) != got {
				t.Errorf("the transcript is\n%s\nrun go test ./control/scaling -update and read the difference", got)
			}
		})
	}
}

type player struct {
	testing.TB
	bounds   scaling.Bounds
	policies []scaling.Policy
	facts    scaling.Facts
}

func play(t testing.TB, script string) string {
	p := &player{TB: t}
	var out strings.Builder
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "target":
			p.bounds = scaling.Bounds{InSuspended: slices.Contains(words, "insuspended"), OutSuspended: slices.Contains(words, "outsuspended")}
			fmt.Sscanf(words[1], "%d..%d", &p.bounds.Min, &p.bounds.Max)
		case words[0] == "current":
			p.facts.Current = p.number(words[1])
		case words[0] == "tracking":
			p.policies = append(p.policies, scaling.Policy{Name: words[1], Tracking: &scaling.Tracking{
				Target: p.float(words[2]), OutCooldown: p.option(words, "out"), InCooldown: p.option(words, "in"), DisableIn: slices.Contains(words, "noin"),
			}})
		case words[0] == "step":
			p.policies = append(p.policies, p.step(words))
		default:
			out.WriteString(p.call(words))
		}
	}
	return out.String()
}

func (p *player) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.Fatal(err)
	}
	return n
}

func (p *player) float(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		p.Fatal(err)
	}
	return f
}

func (p *player) option(words []string, name string) time.Duration {
	i := slices.Index(words, name)
	if i < 0 {
		return 5 * time.Minute
	}
	return p.duration(words[i+1])
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.Fatal(err)
	}
	return d
}

func (p *player) step(words []string) scaling.Policy {
	s := &scaling.Step{Adjustment: scaling.Adjustment(words[2]), Cooldown: p.option(words, "cooldown")}
	if i := slices.Index(words, "magnitude"); i > 0 {
		s.MinMagnitude = p.number(words[i+1])
	}
	for _, w := range words[3:] {
		bounds, by, ok := strings.Cut(w, ":")
		low, high, ranged := strings.Cut(bounds, "..")
		if !ok || !ranged {
			continue
		}
		i := scaling.Interval{By: p.number(by)}
		if low != "" {
			i.Lower = new(p.float(low))
		}
		if high != "" {
			i.Upper = new(p.float(high))
		}
		s.Steps = append(s.Steps, i)
	}
	return scaling.Policy{Name: words[1], Step: s}
}

func (p *player) call(words []string) string {
	at := p.duration(words[0])
	p.facts.Deploying, p.facts.Invoked, p.facts.Readings = words[len(words)-1] == "deploying", words[1], map[string]scaling.Reading{}
	for i := 1; i+2 < len(words); i += 3 {
		r := scaling.Reading{High: words[i+1] == "high", Low: words[i+1] == "low"}
		if words[i+2] != "?" {
			r.Value, r.Known = p.float(words[i+2]), true
		}
		p.facts.Readings[words[i]] = r
	}
	d := scaling.Decide(p.bounds, p.policies, p.facts, start.Add(at))
	line := fmt.Sprintf("%-5s %2d stays: %s\n", words[0], p.facts.Current, d.Reason)
	if d.Reason == "" {
		line = fmt.Sprintf("%-5s %2d -> %d by %s\n", words[0], p.facts.Current, d.Desired, strings.Join(d.Policies, ", "))
	}
	p.facts.Current = d.Desired
	for i := range p.policies {
		if c, ok := d.Cooldowns[p.policies[i].Name]; ok {
			p.policies[i].Cooldown = c
		}
	}
	return line
}

// drawn is any state of a scalable target.
type drawn struct {
	bounds   scaling.Bounds
	policies []scaling.Policy
	facts    scaling.Facts
}

func draw(t *rapid.T) drawn {
	low := rapid.IntRange(0, 5).Draw(t, "min")
	d := drawn{bounds: scaling.Bounds{
		Min: low, Max: low + rapid.IntRange(0, 30).Draw(t, "room"), InSuspended: rapid.Bool().Draw(t, "inSuspended"), OutSuspended: rapid.Bool().Draw(t, "outSuspended"),
	}}
	d.facts = scaling.Facts{Current: rapid.IntRange(0, 40).Draw(t, "current"), Deploying: rapid.Bool().Draw(t, "deploying"), Readings: map[string]scaling.Reading{}}
	until := func(label string) time.Time {
		return start.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, label)) * time.Minute)
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
		p := scaling.Policy{Name: fmt.Sprintf("p%d", i), Cooldown: scaling.Cooldown{
			OutUntil: until("outUntil"), InUntil: until("inUntil"), Base: rapid.IntRange(0, 40).Draw(t, "base"),
		}}
		if rapid.Bool().Draw(t, "tracking") {
			p.Tracking = &scaling.Tracking{Target: rapid.Float64Range(1, 100).Draw(t, "target"), OutCooldown: time.Minute, InCooldown: time.Minute, DisableIn: rapid.Bool().Draw(t, "disableIn")}
		} else {
			p.Step = &scaling.Step{
				Adjustment: rapid.SampledFrom([]scaling.Adjustment{scaling.Change, scaling.Exact, scaling.Percent}).Draw(t, "adjustment"), Cooldown: time.Minute,
				Steps: []scaling.Interval{{Lower: new(0.0), By: rapid.IntRange(-30, 60).Draw(t, "by")}, {Upper: new(0.0), By: rapid.IntRange(-30, 60).Draw(t, "byBelow")}},
			}
			if p.Step.Adjustment == scaling.Exact {
				p.Step.Steps[0].By, p.Step.Steps[1].By = max(p.Step.Steps[0].By, 0), max(p.Step.Steps[1].By, 0)
			}
		}
		d.policies = append(d.policies, p)
		state := rapid.IntRange(0, 2).Draw(t, "state")
		d.facts.Readings[p.Name] = scaling.Reading{
			High: state == 1, Low: state == 2, Known: rapid.IntRange(0, 3).Draw(t, "known") > 0, Value: rapid.Float64Range(0, 300).Draw(t, "value"),
		}
	}
	d.facts.Invoked = rapid.SampledFrom(d.policies).Draw(t, "invoked").Name
	return d
}

// The rules that hold whatever happens.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		got := scaling.Decide(d.bounds, d.policies, d.facts, start)
		now := d.facts.Current
		if again := scaling.Decide(d.bounds, d.policies, d.facts, start); again.Desired != got.Desired || again.Reason != got.Reason || !maps.Equal(again.Cooldowns, got.Cooldowns) {
			t.Fatalf("two answers: %+v %+v", got, again)
		}
		switch {
		case got.Reason != "":
			if got.Desired != now || len(got.Cooldowns) > 0 {
				t.Fatalf("nothing is done, but %+v", got)
			}
		case got.Desired == now:
			t.Fatalf("it does nothing without a reason: %+v", got)
		case got.Desired < d.bounds.Min || got.Desired > d.bounds.Max:
			t.Fatalf("%d is outside %d..%d", got.Desired, d.bounds.Min, d.bounds.Max)
		case got.Desired > now:
			checkOut(t, d, got)
		default:
			checkIn(t, d, got)
		}
	})
}

func checkOut(t *rapid.T, d drawn, got scaling.Decision) {
	if d.bounds.OutSuspended {
		t.Fatal("scaled out though suspended")
	}
	for _, p := range d.policies {
		c, changed := got.Cooldowns[p.Name]
		if !changed {
			c = p.Cooldown
		}
		if start.Before(c.InUntil) {
			t.Fatalf("a scale-out left the scale-in cooldown of %s", p.Name)
		}
		if slices.Contains(got.Policies, p.Name) && !d.facts.Readings[p.Name].Known {
			t.Fatal("scaled out without data")
		}
	}
}

func checkIn(t *rapid.T, d drawn, got scaling.Decision) {
	if d.bounds.InSuspended || d.facts.Deploying {
		t.Fatal("scaled in though suspended or deploying")
	}
	for _, p := range d.policies {
		r, acts := d.facts.Readings[p.Name], slices.Contains(got.Policies, p.Name)
		if acts && (start.Before(p.Cooldown.InUntil) || !r.Known) {
			t.Fatalf("%s scaled in during its cooldown, or without data", p.Name)
		}
		if p.Tracking == nil {
			continue
		}
		if r.High && r.Known && r.Value > p.Tracking.Target {
			t.Fatalf("scaled in though %s wants out", p.Name)
		}
		byTracking := slices.ContainsFunc(d.policies, func(q scaling.Policy) bool { return q.Tracking != nil && slices.Contains(got.Policies, q.Name) })
		if !byTracking || p.Tracking.DisableIn {
			continue
		}
		if !r.Low || !r.Known {
			t.Fatalf("scaled in though %s is not ready to", p.Name)
		}
		if after := r.Value * float64(d.facts.Current) / float64(got.Desired); after > p.Tracking.Target*1.000001 && got.Desired < d.bounds.Max {
			t.Fatalf("scaling in from %d to %d takes %s to %g, above its target %g", d.facts.Current, got.Desired, p.Name, after, p.Tracking.Target)
		}
	}
}

// A constant load is reached from below and from above, and left alone then:
// with the metric in proportion, no policy flaps.
func TestALoadIsFollowedWithoutFlapping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := scaling.Bounds{Min: 1, Max: 50}
		p := scaling.Policy{Name: "cpu", Tracking: &scaling.Tracking{Target: 70, OutCooldown: time.Minute, InCooldown: time.Minute}}
		load, n := rapid.Float64Range(1, 3000).Draw(t, "load"), rapid.IntRange(1, 50).Draw(t, "current")
		ins, outs := 0, 0
		for minute := range 120 {
			value := load / float64(n)
			f := scaling.Facts{Current: n, Invoked: "cpu", Readings: map[string]scaling.Reading{"cpu": {High: value > 70, Low: value < 63, Value: value, Known: true}}}
			d := scaling.Decide(b, []scaling.Policy{p}, f, start.Add(time.Duration(minute)*time.Minute))
			if d.Desired > n {
				outs++
			} else if d.Desired < n {
				ins++
			}
			n = d.Desired
			if c, ok := d.Cooldowns["cpu"]; ok {
				p.Cooldown = c
			}
		}
		if value := load / float64(n); value > 70 && n < 50 {
			t.Fatalf("%d tasks at %g %%", n, value)
		}
		if ins > 0 && outs > 0 {
			t.Fatalf("scaled out %d times and in %d times under a constant load", outs, ins)
		}
	})
}
