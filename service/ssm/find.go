package ssm

import (
	"encoding/base64"
	"fmt"
	"slices"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// parameter finds a parameter of this account.
func parameter(r store.Reader, s arn.Scope, asked string) (Parameter, error) {
	sel := parseName(s, asked)
	for _, name := range sel.spellings() {
		if p, err := Parameters.Get(r, parameterKey(s, name)); err == nil {
			return p, nil
		}
	}
	return Parameter{}, errNotFound(asked)
}

// find is the version of a parameter that a request means: the newest, or that
// of the number or label after the colon.
func find(r store.Reader, s arn.Scope, asked string) (Version, error) {
	sel := parseName(s, asked)
	if v, ok := public(s, sel.name); ok {
		if n := sel.number(); sel.rest != "" && n != v.Number {
			return Version{}, errVersionNotFound(sel.name, sel.rest[1:], n > 0)
		}
		return v, nil
	}
	p, err := parameter(r, s, asked)
	if err != nil {
		return Version{}, err
	}
	if sel.rest == "" {
		return latest(r, p)
	}
	if n := sel.number(); n > 0 {
		v, err := Versions.Get(r, versionKey(s, p.Name, n))
		if err != nil {
			return Version{}, errVersionNotFound(p.Name, sel.rest[1:], true)
		}
		return v, nil
	}
	for _, v := range history(r, s, p.Name) {
		if slices.Contains(v.Labels, sel.rest[1:]) {
			return v, nil
		}
	}
	return Version{}, errVersionNotFound(p.Name, sel.rest[1:], false)
}

// value is what a version holds: of a SecureString the plain text when it is to
// be decrypted, or else what is on disk.
func (s *Service) value(v Version, decrypt bool) (string, error) {
	if v.Type != Secure {
		return v.Value, nil
	}
	if !decrypt {
		return base64.StdEncoding.EncodeToString(v.Sealed), nil
	}
	plain, err := s.Keys.Open(v.bound(), v.Sealed)
	if err != nil {
		return "", fmt.Errorf("decrypt parameter %s: %w", v.Name, err)
	}
	return string(plain), nil
}

// answer is a version as GetParameter tells it.
func (s *Service) answer(v Version, selector string, decrypt bool) (*api.Parameter, error) {
	value, err := s.value(v, decrypt)
	if err != nil {
		return nil, err
	}
	return &api.Parameter{
		Name: &v.Name, Type: api.ParameterType(v.Type), Value: &value, Version: &v.Number, Selector: opt(selector),
		LastModifiedDate: &v.Modified, ARN: new(v.ARN()), DataType: &v.DataType,
	}, nil
}

// ARN of the parameter; AWS's own have no account.
func (v Version) ARN() string { return nameARN(v.Scope, v.Name) }

// Found is a parameter's value, for other services.
type Found struct {
	Value   string
	Type    string
	Version int64
	ARN     string
}

// Lookup finds a value by name or ARN, and perhaps a version or label after a
// colon. The errors are those of GetParameter.
func (s *Service) Lookup(r store.Reader, in arn.Scope, name string) (Found, error) {
	v, err := find(r, in, name)
	if err != nil {
		return Found{}, err
	}
	value, err := s.value(v, true)
	return Found{Value: value, Type: v.Type, Version: v.Number, ARN: v.ARN()}, err
}
