package engine

import (
	"context"

	"github.com/slipway-dev/slipway/service/s3"
)

// deliver puts what a service delivers into a bucket. S3 is opened after the
// services that do.
func (e *Engine) deliver(ctx context.Context, d s3.Delivery) error { return e.objects.Deliver(ctx, d) }
