package images_test

import "github.com/google/go-containerregistry/pkg/authn"

// basic logs in to the guarded registry.
type basic struct{}

func (basic) Authorization() (*authn.AuthConfig, error) {
	return &authn.AuthConfig{Username: "AWS", Password: "secret"}, nil
}
