package awsapi

import "context"

// withRequest makes the request known to SetHeader and Host.
func withRequest(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey, x)
}

// SetHeader sets a header of the answer that the model has no member for, be
// the answer an output or an error. Outside of a request it does nothing.
func SetHeader(ctx context.Context, name, value string) {
	if x, ok := ctx.Value(exchangeKey).(*exchange); ok {
		x.w.Header().Set(name, value)
	}
}

// Endpoint is how the client reached the API, such as http://localhost:4566;
// empty outside of a request. A bucket in the host's name is not part of it.
func Endpoint(ctx context.Context) string {
	x, ok := ctx.Value(exchangeKey).(*exchange)
	if !ok {
		return ""
	}
	host := x.r.Host
	if bucket := BucketOf(host); bucket != "" {
		host = host[len(bucket)+1:]
	}
	scheme := "http://"
	if x.r.TLS != nil {
		scheme = "https://"
	}
	return scheme + host
}

// Header is a header of the request, for what the model has no member for;
// empty outside of a request.
func Header(ctx context.Context, name string) string {
	x, ok := ctx.Value(exchangeKey).(*exchange)
	if !ok {
		return ""
	}
	return x.r.Header.Get(name)
}

// SourceIP is the address that the request came from; empty outside of a
// request.
func SourceIP(ctx context.Context) string {
	x, ok := ctx.Value(exchangeKey).(*exchange)
	if !ok {
		return ""
	}
	return hostOf(x.r.RemoteAddr)
}
