package synth

import (
	"encoding/json"
	"fmt"

	"github.com/slipway-dev/slipway/manifest"
)

const (
	repositoryType = "AWS::ECR::Repository"
	imagesKept     = 10
)

// registry renders an image repository, and the parameter that chooses the image, for every service that is built here.
func (r *renderer) registry() {
	rule := map[string]any{"rules": []any{map[string]any{
		"rulePriority": 1, "description": fmt.Sprintf("Keep the last %d images", imagesKept),
		"selection": map[string]any{"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": imagesKept},
		"action":    map[string]any{"type": "expire"},
	}}}
	policy, _ := json.Marshal(rule)
	for i := range r.m.Services {
		s := &r.m.Services[i]
		if !s.Built() {
			continue
		}
		r.Parameters = append(r.Parameters, Parameter{
			ID: ImageParameter(s.Name), Default: "latest", Description: "Tag of the image that " + s.Name + " runs",
			Pattern: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`, Explain: "an image tag: up to 128 letters, digits, dots, dashes and underscores",
		})
		r.disposable(manifest.Camel(s.Name)+"Repository", repositoryType, Object{
			{"RepositoryName", r.names.Repository(s.Name)},
			{"ImageScanningConfiguration", Object{{"ScanOnPush", true}}},
			{"EncryptionConfiguration", Object{{"EncryptionType", "AES256"}}},
			{"LifecyclePolicy", Object{{"LifecyclePolicyText", string(policy)}}},
			{"EmptyOnDelete", true},
			r.tagged(s.Name),
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
