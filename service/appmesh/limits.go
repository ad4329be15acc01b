package appmesh

import (
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// AWS's quotas of a region, of a mesh, of a router and of a gateway, all of
// which it raises on request (App Mesh service quotas).
const (
	meshMost         = 15
	nodeMost         = 200
	serviceMost      = 200
	routerMost       = 200
	routeMost        = 50
	gatewayMost      = 3
	gatewayRouteMost = 10
	backendMost      = 50
)

// quota is how many of a kind there may be, and how many there are.
type quota struct {
	word  string
	most  int
	count func(r store.Reader, sc arn.Scope, mesh, parent string) int
}

func (k *kind[S]) quota() quota {
	return quota{k.word, k.most, func(r store.Reader, sc arn.Scope, mesh, parent string) int {
		n := 0
		for range k.table.List(r, under(Resource[S]{Scope: sc, Mesh: mesh, Parent: parent})) {
			n++
		}
		return n
	}}
}

// room says whether there may be one more.
func (s *Service) room(r store.Reader, q quota, sc arn.Scope, mesh, parent string) error {
	if !s.strict || q.count(r, sc, mesh, parent) < q.most {
		return nil
	}
	return tooMany("The limit of %d on the number of %ss is reached for account %s", q.most, q.word, sc.Account)
}
