package synth

import (
	"encoding/json"

	"github.com/slipway-dev/slipway/manifest"
)

const (
	repositoryType = "AWS::ECR::Repository"
	imagesKept     = 10
)

// registry renders an image repository, and the parameter that chooses the image, for every service that is built here.
func (r *renderer) registry() {
	rule := map[string]any{"rules": []any{map[string]any{
		"rulePriority": 1,
		"selection":    map[string]any{"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": imagesKept},
		"action":       map[string]any{"type": "expire"},
	}}}
	policy, _ := json.Marshal(rule)
	for i := range r.m.Services {
		s := &r.m.Services[i]
		if !s.Built() {
			continue
		}
		r.Parameters = append(r.Parameters, Parameter{
			ID: ImageParameter(s.Name), Default: "latest", Pattern: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`,
		})
		r.add(manifest.Camel(s.Name)+"Repository", repositoryType, Object{
			{"RepositoryName", r.names.Repository(s.Name)},
			{"ImageScanningConfiguration", Object{{"ScanOnPush", true}}},
			{"LifecyclePolicy", Object{{"LifecyclePolicyText", string(policy)}}},
			{"EmptyOnDelete", true},
		})
	}
}

// image is what the container runs: the service's own repository at the chosen tag, or the finished image as the manifest names it.
func (r *renderer) image(s *manifest.Service) any {
	if !s.Built() {
		return s.Image
	}
	return sub("${" + manifest.Camel(s.Name) + "Repository.RepositoryUri}:${" + ImageParameter(s.Name) + "}")
}
