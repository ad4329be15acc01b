package mesh

import (
	"maps"
	"slices"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
)

// gatewayProxy makes what a gateway's proxy does.
func (b *builder) gatewayProxy(spec api.VirtualGatewaySpec) {
	for range slices.Sorted(maps.Keys(b.gatewayRoutes(b.self))) {
	}
}
