package s3

import (
	"context"
	"slices"
	"strings"

	api "github.com/slipway-dev/slipway/api/s3api"
)

var corsMethods = []string{"GET", "PUT", "POST", "DELETE", "HEAD"}

// PutBucketCors says which other origins' pages may use a bucket.
func (s *Service) PutBucketCors(_ context.Context, in *api.PutBucketCorsInput) (*api.PutBucketCorsOutput, error) {
	if in.CORSConfiguration == nil || len(in.CORSConfiguration.CORSRules) == 0 || len(in.CORSConfiguration.CORSRules) > 100 {
		return nil, errXML()
	}
	if err := checkCORS(in.CORSConfiguration.CORSRules); err != nil {
		return nil, err
	}
	return &api.PutBucketCorsOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.CORS = in.CORSConfiguration.CORSRules
		return nil
	})
}

func checkCORS(rules []api.CORSRule) error {
	for _, r := range rules {
		if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 {
			return errXML()
		}
		for _, m := range r.AllowedMethods {
			if !slices.Contains(corsMethods, m) {
				return errRequest("Found unsupported HTTP method in CORS config. Unsupported method is " + m)
			}
		}
		for _, o := range append(slices.Clone(r.AllowedOrigins), r.AllowedHeaders...) {
			if strings.Count(o, "*") > 1 {
				return errRequest("AllowedOrigin \"" + o + "\" can not have more than one wildcard.")
			}
		}
	}
	return nil
}

// GetBucketCors tells the rules for other origins; none is an error.
func (s *Service) GetBucketCors(_ context.Context, in *api.GetBucketCorsInput) (*api.GetBucketCorsOutput, error) {
	b, err := find(s.Store.Snapshot(), val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if len(b.CORS) == 0 {
		return nil, fault(404, "NoSuchCORSConfiguration", "The CORS configuration does not exist", "BucketName", b.Name)
	}
	return &api.GetBucketCorsOutput{CORSRules: b.CORS}, nil
}

// DeleteBucketCors removes the rules.
func (s *Service) DeleteBucketCors(_ context.Context, in *api.DeleteBucketCorsInput) (*api.DeleteBucketCorsOutput, error) {
	return &api.DeleteBucketCorsOutput{}, s.change(in.Bucket, func(b *Bucket) error {
		b.CORS = nil
		return nil
	})
}
