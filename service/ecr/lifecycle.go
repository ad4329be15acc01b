package ecr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// lifecyclePolicy is a lifecycle policy document (ECR user guide, Automate
// the cleanup of images by using lifecycle policies).
type lifecyclePolicy struct {
	Rules []lifecycleRule `json:"rules"`
}

type lifecycleRule struct {
	Priority    int    `json:"rulePriority"`
	Description string `json:"description"`
	Selection   struct {
		TagStatus string   `json:"tagStatus"`
		Prefixes  []string `json:"tagPrefixList"`
		Patterns  []string `json:"tagPatternList"`
		CountType string   `json:"countType"`
		CountUnit string   `json:"countUnit"`
		Count     int      `json:"countNumber"`
	} `json:"selection"`
	Action struct {
		Type string `json:"type"`
	} `json:"action"`
}

// parseLifecycle reads and validates a policy; its rules come back in the
// order of their priority.
func parseLifecycle(text string) (lifecyclePolicy, error) {
	var p lifecyclePolicy
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || d.More() {
		return p, fmt.Errorf("the policy is not valid: %w", cmp.Or(err, fmt.Errorf("more than one document")))
	}
	if len(p.Rules) == 0 {
		return p, fmt.Errorf("the policy has no rules")
	}
	slices.SortStableFunc(p.Rules, func(a, b lifecycleRule) int { return cmp.Compare(a.Priority, b.Priority) })
	for i, r := range p.Rules {
		if r.Priority < 1 {
			return p, fmt.Errorf("rulePriority must be at least 1")
		}
		if i > 0 && p.Rules[i-1].Priority == r.Priority {
			return p, fmt.Errorf("rulePriority %d is given to more than one rule", r.Priority)
		}
		if err := r.check(); err != nil {
			return p, fmt.Errorf("rule with priority %d: %w", r.Priority, err)
		}
		if r.Selection.TagStatus == "any" && i < len(p.Rules)-1 {
			return p, fmt.Errorf("rule with priority %d: a rule with tagStatus any must have the highest value for rulePriority", r.Priority)
		}
	}
	return p, nil
}

func (r lifecycleRule) check() error {
	s := r.Selection
	lists := len(s.Prefixes) + len(s.Patterns)
	switch s.TagStatus {
	case "tagged":
		if lists == 0 {
			return fmt.Errorf("tagStatus tagged needs tagPrefixList or tagPatternList")
		}
		if len(s.Prefixes) > 0 && len(s.Patterns) > 0 {
			return fmt.Errorf("tagPrefixList and tagPatternList exclude each other")
		}
	case "untagged", "any":
		if lists > 0 {
			return fmt.Errorf("tagStatus %s takes no tagPrefixList and no tagPatternList", s.TagStatus)
		}
	default:
		return fmt.Errorf("tagStatus must be one of tagged, untagged, any")
	}
	for _, p := range s.Patterns {
		if strings.Count(p, "*") > 4 {
			return fmt.Errorf("a tag pattern takes at most four wildcards")
		}
	}
	switch {
	case s.Count < 1:
		return fmt.Errorf("countNumber must be at least 1")
	case s.CountType == "imageCountMoreThan" && s.CountUnit != "":
		return fmt.Errorf("countUnit goes with sinceImagePushed only")
	case s.CountType == "sinceImagePushed" && s.CountUnit != "days":
		return fmt.Errorf("countUnit must be days")
	case s.CountType != "imageCountMoreThan" && s.CountType != "sinceImagePushed":
		return fmt.Errorf("countType must be one of imageCountMoreThan, sinceImagePushed")
	case r.Action.Type != "expire":
		return fmt.Errorf("action type must be expire")
	}
	return nil
}

// aged is what a lifecycle policy sees of an image.
type aged struct {
	Digest   string
	Tags     []string
	PushedAt time.Time
}

// expired returns the digests that the policy removes, and when it may remove
// another one by its age (zero: not before something changes). An image that
// the selection of one rule takes is out of reach for the later rules, whether
// it expires or not.
func (p lifecyclePolicy) expired(images []aged, now time.Time) (gone []string, next time.Time) {
	left := slices.Clone(images)
	slices.SortStableFunc(left, func(a, b aged) int { return b.PushedAt.Compare(a.PushedAt) }) // newest first
	for _, r := range p.Rules {
		var rest, mine []aged
		for _, img := range left {
			if r.selects(img.Tags) {
				mine = append(mine, img)
			} else {
				rest = append(rest, img)
			}
		}
		left = rest
		for i, img := range mine {
			if r.Selection.CountType == "imageCountMoreThan" {
				if i >= r.Selection.Count {
					gone = append(gone, img.Digest)
				}
				continue
			}
			due := img.PushedAt.Add(time.Duration(r.Selection.Count) * 24 * time.Hour)
			if !now.Before(due) {
				gone = append(gone, img.Digest)
			} else if next.IsZero() || due.Before(next) {
				next = due
			}
		}
	}
	return gone, next
}

// selects reports whether a rule is about an image with these tags. Every
// prefix or pattern must be that of some tag.
func (r lifecycleRule) selects(tags []string) bool {
	s := r.Selection
	switch s.TagStatus {
	case "any":
		return true
	case "untagged":
		return len(tags) == 0
	}
	for _, p := range s.Prefixes {
		if !slices.ContainsFunc(tags, func(t string) bool { return strings.HasPrefix(t, p) }) {
			return false
		}
	}
	for _, p := range s.Patterns {
		if !slices.ContainsFunc(tags, func(t string) bool { ok, err := path.Match(p, t); return err == nil && ok }) {
			return false
		}
	}
	return true
}
