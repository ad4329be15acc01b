package ssm

import (
	"context"
	"errors"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Reveal reads values with decryption on behalf of a caller, such as the
// execution role of a task, who must be allowed to do so. Names are those of
// the caller's account and region, ARNs may be of another region. The answer
// is by what was asked for; the error is AccessDeniedException, or
// ParameterNotFound whose message is the names of which there is none.
func (s *Service) Reveal(ctx context.Context, caller awsapi.Caller, from []string) (map[string]string, error) {
	out := map[string]string{}
	var missing []string
	for _, name := range from {
		in := caller
		if a, err := arn.Parse(name); err == nil && a.Account == caller.Account {
			in.Region = a.Region
		}
		ctx := awsapi.WithCaller(ctx, in)
		if err := s.may(ctx, "ssm:GetParameters", nameARN(in.Scope, parseName(in.Scope, name).name)); err != nil {
			return nil, err
		}
		found, err := s.Lookup(s.Store.Snapshot(), in.Scope, name)
		if _, ok := errors.AsType[*awsapi.Error](err); ok {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		out[name] = found.Value
	}
	if len(missing) > 0 {
		return nil, fault("ParameterNotFound", "%s", strings.Join(missing, ", "))
	}
	return out, nil
}
