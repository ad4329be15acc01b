package mesh

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/wrapperspb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// hostAttempts is how often another host is looked for before one that failed
// is tried again (dumps of App Mesh's Envoys).
const hostAttempts = 5

// retried are the status codes of App Mesh's HTTP retry events (API reference,
// HttpRetryPolicy).
var retried = map[string][]uint32{
	"server-error":  {500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511},
	"gateway-error": {502, 503, 504},
	"client-error":  {409},
}

// defaultRetry is the policy of routes without one. App Mesh shows it nowhere
// but in Envoy (App Mesh user guide, Envoy defaults, Default route retry
// policy).
func defaultRetry() *xdsapi.RetryPolicy {
	return retry(map[string]bool{"reset": true, "connect-failure": true, "refused-stream": true, "unavailable": true}, []uint32{503}, 2)
}

// retryPolicy is a route's own policy. No retries is a policy, too.
func retryPolicy(p api.GrpcRetryPolicy) *xdsapi.RetryPolicy {
	on, codes := map[string]bool{}, []uint32{}
	for _, e := range p.HttpRetryEvents {
		switch e {
		case "stream-error":
			on["refused-stream"] = true
		case "server-error", "gateway-error":
			on["reset"] = true // both include it (API reference, HttpRetryPolicy)
		}
		codes = append(codes, retried[e]...)
	}
	for range p.TcpRetryEvents { // there is one, connection-error
		on["connect-failure"] = true
	}
	for _, e := range p.GrpcRetryEvents {
		on[string(e)] = true // Envoy has App Mesh's words
	}
	slices.Sort(codes)
	if value(p.MaxRetries) <= 0 {
		return nil
	}
	out := retry(on, slices.Compact(codes), uint32(*p.MaxRetries))
	out.PerTryTimeout = duration(p.PerRetryTimeout)
	return out
}

// words are in the order of App Mesh's Envoys.
var words = []string{
	"reset", "connect-failure", "refused-stream", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
}

func retry(on map[string]bool, codes []uint32, times uint32) *xdsapi.RetryPolicy {
	said := slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !on[w] })
	if len(codes) > 0 {
		said = append(said, "retriable-status-codes")
	}
	return &xdsapi.RetryPolicy{
		RetryOn: strings.Join(said, ","), NumRetries: wrapperspb.UInt32(times), RetriableStatusCodes: codes, HostSelectionRetryMaxAttempts: hostAttempts,
		RetryHostPredicate: []*xdsapi.RetryPolicy_RetryHostPredicate{{
			Name:       xdsapi.PreviousHosts,
			ConfigType: &xdsapi.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: xdsapi.Pack(&xdsapi.PreviousHostsPredicate{})},
		}},
	}
}
