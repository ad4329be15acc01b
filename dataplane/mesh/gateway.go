package mesh

import api "github.com/slipway-dev/slipway/api/appmeshapi"

func (b *builder) gatewayProxy(spec api.VirtualGatewaySpec) {}
