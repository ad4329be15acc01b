package ssm

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	api "github.com/slipway-dev/slipway/api/ssmapi"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Limits of values and versions.
// Source: Systems Manager user guide, Parameter tiers.
const (
	maxStandard = 4096
	maxAdvanced = 8192
	maxVersions = 100
)

// PutParameter makes a parameter, or a new version of one. What an overwriting
// request leaves out stays as it was.
func (s *Service) PutParameter(ctx context.Context, in *api.PutParameterInput) (*api.PutParameterOutput, error) {
	if err := checkPut(in); err != nil {
		return nil, err
	}
	tags, err := retagged(ctx, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	var v Version
	err = s.Store.Update(func(tx *store.Tx) error {
		v, err = s.put(ctx, tx, in, tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.PutParameterOutput{Version: &v.Number, Tier: api.ParameterTier(v.Tier)}, nil
}

// checkPut checks what a request says by itself.
func checkPut(in *api.PutParameterInput) error {
	if err := checkName(*in.Name); err != nil {
		return err
	}
	value := *in.Value
	switch {
	case value == "":
		return invalid("Parameter value can't be empty.")
	case !utf8.ValidString(value):
		return invalid("Parameter value must be valid UTF-8.")
	case strings.Contains(value, "{{") && strings.Contains(value, "}}"):
		return invalid("Parameter value can't nest another parameter. Do not use \"{{}}\" in the value: %s", value)
	case val(in.Policies) != "" && val(in.Policies) != "[]" && val(in.Policies) != "[{}]":
		return errNotYet("Policies")
	case len(in.Tags) > 0 && val(in.Overwrite):
		return errTagsAndOverwrite
	case val(in.KeyId) != "" && in.Type != "" && in.Type != Secure:
		return invalid("KeyId is required for SecureString type parameter only.")
	}
	switch dataType := val(in.DataType); dataType {
	case "", text:
	case "aws:ec2:image", "aws:ssm:integration":
		return errNotYet("DataType " + dataType)
	default:
		return invalid("The following data type is not supported: %s (Data type names are all lowercase.)", dataType)
	}
	return nil
}

// put makes the next version of a parameter.
func (s *Service) put(ctx context.Context, tx *store.Tx, in *api.PutParameterInput, tags map[string]string) (Version, error) {
	sc := scope(ctx)
	v := Version{Scope: sc, Name: *in.Name, DataType: text, Tier: Standard}
	p, err := Parameters.Get(tx, parameterKey(sc, v.Name))
	switch {
	case err != nil:
		p = Parameter{Scope: sc, Name: v.Name, Tags: tags}
		if in.Type == "" {
			return v, invalid("A parameter type is required when you create a parameter.")
		}
	case !val(in.Overwrite):
		return v, errExists
	default:
		if v, err = latest(tx, p); err != nil {
			return v, err
		}
		if in.Type != "" && string(in.Type) != v.Type {
			return v, errTypeChange
		}
		v.Labels = nil
	}
	p.Latest++
	v.Number, v.Modified, v.User = p.Latest, now(), awsapi.CallerOf(ctx).ARN
	if err := v.change(sc, in); err != nil {
		return v, err
	}
	v.Value, v.Sealed = *in.Value, nil
	if v.Type == Secure {
		v.Value, v.Sealed = "", s.Keys.Seal(v.bound(), []byte(*in.Value))
	}
	if err := forget(tx, p); err != nil {
		return v, err
	}
	Parameters.Put(tx, p)
	Versions.Put(tx, v)
	return v, nil
}

// change takes over everything but the value from a request.
func (v *Version) change(sc arn.Scope, in *api.PutParameterInput) error {
	if in.Type != "" {
		v.Type = string(in.Type)
	}
	if in.Description != nil {
		v.Description = *in.Description
	}
	if in.AllowedPattern != nil {
		v.AllowedPattern = *in.AllowedPattern
	}
	if v.Type == Secure {
		if v.Key == "" {
			v.Key = awsKey
		}
		if key := val(in.KeyId); key != "" && key != awsKey && key != sc.ARN("kms", awsKey) {
			return fault("InvalidKeyId", "The key %s is not found: this engine has no keys but %s.", key, awsKey)
		}
	} else if val(in.KeyId) != "" {
		return invalid("KeyId is required for SecureString type parameter only.")
	}
	if err := v.tier(string(in.Tier), len(*in.Value)); err != nil {
		return err
	}
	return matches(v.AllowedPattern, v.Type, *in.Value)
}

// tier finds the tier of a version: the one asked for, or what its size needs.
func (v *Version) tier(asked string, size int) error {
	switch {
	case asked == Standard && v.Tier == Advanced:
		return errDowngrade
	case asked == Advanced, asked == "Intelligent-Tiering" && size > maxStandard:
		v.Tier = Advanced
	}
	switch {
	case size > maxAdvanced:
		return errTooLongAdvanced
	case v.Tier == Standard && size > maxStandard:
		return errTooLong
	}
	return nil
}

// matches holds a value against a pattern; of a list each element. Patterns
// are those of RE2: what Java's have besides, such as look-ahead, is refused.
func matches(pattern, kind, value string) error {
	if pattern == "" {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return fault("InvalidAllowedPatternException", "The request does not meet the regular expression requirement: %s", err)
	}
	all := []string{value}
	if kind == list {
		all = strings.Split(value, ",")
	}
	if slices.ContainsFunc(all, func(one string) bool { return !re.MatchString(one) }) {
		return errPattern(pattern)
	}
	return nil
}

// forget makes room for one more version: the oldest goes, unless it has a label.
func forget(tx *store.Tx, p Parameter) error {
	all := history(tx, p.Scope, p.Name)
	if len(all) < maxVersions {
		return nil
	}
	if len(all[0].Labels) > 0 {
		return errMaxVersions(p.Name, all[0].Number)
	}
	Versions.Delete(tx, Versions.Key(all[0]))
	return nil
}

// setTags replaces all tags of a parameter.
func (s *Service) setTags(sc arn.Scope, name string, tags map[string]string) error {
	return s.Store.Update(func(tx *store.Tx) error {
		p, err := Parameters.Get(tx, parameterKey(sc, name))
		if err != nil {
			return errNotFound(name)
		}
		if maps.Equal(p.Tags, tags) {
			return nil
		}
		p.Tags = tags
		Parameters.Put(tx, p)
		return nil
	})
}
