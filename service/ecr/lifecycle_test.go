package ecr

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func rule(priority int, selection string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"selection":{%s},"action":{"type":"expire"}}`, priority, selection)
}

func policy(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }

const (
	keep2   = `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":2`
	week    = `"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":7`
	oneProd = `"tagStatus":"tagged","tagPrefixList":["prod"],"countType":"imageCountMoreThan","countNumber":1`
	rc      = `"tagStatus":"tagged","tagPatternList":["v*-rc*"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1`
)

func TestLifecycleRules(t *testing.T) {
	now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	images := []aged{ // name = digest; days old
		{"prod-new", []string{"prod-2"}, now.AddDate(0, 0, -1)},
		{"prod-old", []string{"prod-1", "x"}, now.AddDate(0, 0, -20)},
		{"rc", []string{"v1.0-rc1"}, now.AddDate(0, 0, -2)},
		{"loose-new", nil, now.AddDate(0, 0, -3)},
		{"loose-old", nil, now.AddDate(0, 0, -7)},
	}
	for _, tc := range []struct {
		policy string
		want   string
	}{
		{policy(rule(1, keep2)), "loose-new loose-old prod-old"},
		{policy(rule(1, week)), "loose-old"},
		{policy(rule(1, oneProd)), "prod-old"},
		{policy(rule(1, rc)), "rc"},
		// The prod images are out of reach for the rule behind.
		{policy(rule(2, keep2), rule(1, oneProd)), "loose-old prod-old"},
		{policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["prod","x"],"countType":"sinceImagePushed","countUnit":"days","countNumber":1`)), "prod-old"},
	} {
		p, err := parseLifecycle(tc.policy)
		if err != nil {
			t.Errorf("%s: %v", tc.policy, err)
			continue
		}
		gone, _ := p.expired(images, now)
		slices.Sort(gone)
		if got := strings.Join(gone, " "); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.policy, got, tc.want)
		}
	}
	p, _ := parseLifecycle(policy(rule(1, week)))
	if _, next := p.expired(images, now); !next.Equal(now.AddDate(0, 0, 4)) {
		t.Errorf("next at %v", next)
	}
}

func TestLifecycleValidation(t *testing.T) {
	for _, bad := range []string{
		"", "{}", "null", `{"rules":[]}`, policy(rule(0, keep2)), policy(rule(1, week), rule(1, week)), policy(rule(1, keep2), rule(2, week)),
		policy(rule(1, week)) + "x", `{"rules":[],"other":1}`,
		policy(rule(1, `"tagStatus":"tagged","countType":"imageCountMoreThan","countNumber":1`)),
		policy(rule(1, `"tagStatus":"untagged","tagPrefixList":["a"],"countType":"imageCountMoreThan","countNumber":1`)),
		policy(rule(1, `"tagStatus":"none","countType":"imageCountMoreThan","countNumber":1`)),
		policy(rule(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":0`)),
		policy(rule(1, `"tagStatus":"any","countType":"imageCountMoreThan","countUnit":"days","countNumber":1`)),
		policy(rule(1, `"tagStatus":"any","countType":"sinceImagePushed","countNumber":1`)),
		policy(rule(1, `"tagStatus":"any","countType":"other","countNumber":1`)),
		policy(rule(1, `"tagStatus":"tagged","tagPatternList":["*a*b*c*d*"],"countType":"imageCountMoreThan","countNumber":1`)),
		`{"rules":[{"rulePriority":1,"selection":{` + keep2 + `},"action":{"type":"keep"}}]}`,
	} {
		if _, err := parseLifecycle(bad); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

// Keep-n keeps exactly the n newest, whatever the order of the images.
func TestKeepNKeepsTheNewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		p, err := parseLifecycle(policy(rule(1, fmt.Sprintf(`"tagStatus":"any","countType":"imageCountMoreThan","countNumber":%d`, n))))
		if err != nil {
			t.Fatal(err)
		}
		ages := rapid.SliceOfNDistinct(rapid.IntRange(0, 1000), 0, 20, rapid.ID[int]).Draw(t, "ages")
		var images []aged
		for _, a := range ages {
			images = append(images, aged{Digest: fmt.Sprint(a), PushedAt: time.Unix(int64(-a), 0)})
		}
		gone, _ := p.expired(images, time.Unix(0, 0))
		slices.Sort(ages)
		for i, a := range ages {
			if slices.Contains(gone, fmt.Sprint(a)) != (i >= n) {
				t.Fatalf("keep %d of ages %v: gone %v", n, ages, gone)
			}
		}
	})
}

func FuzzLifecycle(f *testing.F) {
	f.Add(policy(rule(1, keep2)))
	f.Add(policy(rule(1, week), rule(2, oneProd)))
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseLifecycle(text); err == nil {
			p.expired([]aged{{Digest: "a", Tags: []string{"prod"}}}, time.Unix(0, 0))
		}
	})
}
