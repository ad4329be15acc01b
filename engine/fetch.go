package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/s3"
)

// maxTemplate bounds a template that is read from S3, in bytes (AWS
// CloudFormation quotas).
const maxTemplate = 1_000_000

// templateAt reads what a request or a template gives by its address, with the
// caller's permissions. An address that S3 cannot have is the request's own
// fault; anything else is told in S3's words.
func templateAt(objects *s3.Service) func(context.Context, string) (string, error) {
	return func(ctx context.Context, url string) (string, error) {
		text, err := objects.Fetch(ctx, url, maxTemplate)
		if errors.Is(err, s3.ErrAddress) {
			return "", s3.ErrAddress
		}
		if e, ok := errors.AsType[*awsapi.Error](err); ok {
			return "", fmt.Errorf("%s\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html", e.Message)
		}
		return string(text), err
	}
}
