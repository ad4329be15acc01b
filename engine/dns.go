package engine

import (
	"context"

	"github.com/slipway-dev/slipway/node/vpc"
)

// serveVPC serves what every VPC has at its own addresses, as long as it lives.
func (e *Engine) serveVPC(ctx context.Context, c vpc.Config) {}
