package elbv2

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/dataplane/proxy"
)

var (
	pathChars   = regexp.MustCompile(`^[A-Za-z0-9_\-.$/~"'@:+&*?]+$`)
	hostChars   = regexp.MustCompile(`^[A-Za-z0-9\-.*?]+$`)
	headerName  = regexp.MustCompile("^[!#$%&'*+\\-.^_`|~0-9A-Za-z]{1,40}$")
	methodChars = regexp.MustCompile(`^[A-Z_-]{1,40}$`)
)

// maxWildcards bounds * and ? over all conditions of a rule.
const maxWildcards = 6

// checkConditions validates the conditions of a rule (API reference,
// RuleCondition, and the quotas) and fills in both forms of path and host.
func checkConditions(in []elbv2api.RuleCondition) ([]elbv2api.RuleCondition, error) {
	if len(in) == 0 {
		return nil, errValidation("A condition must be specified")
	}
	out := make([]elbv2api.RuleCondition, 0, len(in))
	seen, values, wild := map[string]int{}, 0, 0
	for _, c := range in {
		c, err := normal(c)
		if err != nil {
			return nil, err
		}
		field := *c.Field
		if seen[field]++; seen[field] > 1 && field != "http-header" && field != "query-string" {
			return nil, errValidation("A rule can only have one '%s' condition", field)
		}
		p, err := condition(c)
		if err != nil {
			return nil, err
		}
		for _, v := range p.Values {
			wild += strings.Count(v, "*") + strings.Count(v, "?")
		}
		for _, kv := range p.Query {
			wild += strings.Count(kv.Key+kv.Value, "*") + strings.Count(kv.Key+kv.Value, "?")
		}
		values += len(p.Values) + len(p.Query) + len(p.Regex)
		out = append(out, c)
	}
	if values > maxConditionValues {
		return nil, errValidation("A rule can only have '%d' condition values", maxConditionValues)
	}
	if wild > maxWildcards {
		return nil, errValidation("A rule can only have '%d' condition wildcards", maxWildcards)
	}
	return out, nil
}

// normal brings a condition into the form with a config for its field. Path
// and host keep Values as well, where AWS answers both.
func normal(c elbv2api.RuleCondition) (elbv2api.RuleCondition, error) {
	field := val(c.Field)
	switch field {
	case "path-pattern":
		cfg := val(c.PathPatternConfig)
		if len(c.Values) > 0 && len(cfg.Values) > 0 && !slices.Equal(c.Values, cfg.Values) {
			return c, errValidation("You cannot specify both 'Values' and 'PathPatternConfig'")
		}
		if len(cfg.Values) == 0 {
			cfg.Values = c.Values
		}
		if len(cfg.RegexValues) == 0 {
			cfg.RegexValues = c.RegexValues
		}
		c.Values, c.PathPatternConfig = cfg.Values, &cfg
	case "host-header":
		cfg := val(c.HostHeaderConfig)
		if len(c.Values) > 0 && len(cfg.Values) > 0 && !slices.Equal(c.Values, cfg.Values) {
			return c, errValidation("You cannot specify both 'Values' and 'HostHeaderConfig'")
		}
		if len(cfg.Values) == 0 {
			cfg.Values = c.Values
		}
		if len(cfg.RegexValues) == 0 {
			cfg.RegexValues = c.RegexValues
		}
		c.Values, c.HostHeaderConfig = cfg.Values, &cfg
	case "http-header", "http-request-method", "query-string", "source-ip":
		if len(c.Values) > 0 {
			return c, errValidation("The 'Values' parameter is not supported for condition field '%s'", field)
		}
	default:
		return c, errValidation("Condition field '%s' must be one of '[http-request-method,path-pattern,host-header,query-string,source-ip,http-header]'", field)
	}
	c.RegexValues = nil
	return c, nil
}

// condition is a normal condition as the proxy takes it, or what is wrong
// with it.
func condition(c elbv2api.RuleCondition) (proxy.Condition, error) {
	field := val(c.Field)
	p := proxy.Condition{Field: proxy.Field(field)}
	switch field {
	case "path-pattern":
		p.Values, p.Regex = c.PathPatternConfig.Values, c.PathPatternConfig.RegexValues
	case "host-header":
		p.Values, p.Regex = c.HostHeaderConfig.Values, c.HostHeaderConfig.RegexValues
	case "http-header":
		cfg := val(c.HttpHeaderConfig)
		p.Name, p.Values, p.Regex = val(cfg.HttpHeaderName), cfg.Values, cfg.RegexValues
		if !headerName.MatchString(p.Name) || strings.EqualFold(p.Name, "host") {
			return p, errValidation("Condition HTTP header name '%s' is not valid", p.Name)
		}
	case "http-request-method":
		p.Values = val(c.HttpRequestMethodConfig).Values
	case "source-ip":
		p.Values = val(c.SourceIpConfig).Values
	case "query-string":
		for _, kv := range val(c.QueryStringConfig).Values {
			if val(kv.Value) == "" || len(*kv.Value) > 128 || len(val(kv.Key)) > 128 {
				return p, errValidation("Condition query string values must have between 1 and 128 characters")
			}
			p.Query = append(p.Query, proxy.KeyValue{Key: val(kv.Key), Value: *kv.Value})
		}
	}
	if len(p.Values)+len(p.Query)+len(p.Regex) == 0 {
		return p, errValidation("A condition value must be specified")
	}
	for _, v := range p.Values {
		if err := checkValue(field, v); err != nil {
			return p, err
		}
	}
	for _, v := range p.Regex {
		if _, err := regexp.Compile(v); err != nil || len(v) > 128 {
			return p, errValidation("Condition regular expression '%s' is not valid", v)
		}
	}
	p.Regex = anywhere(field, p.Regex)
	return p, nil
}

// anywhere turns expressions that may match anywhere in a value, and without
// regard to case but in paths, into the proxy's, which match the whole.
func anywhere(field string, regex []string) (whole []string) {
	flags := "i"
	if field == "path-pattern" {
		flags = ""
	}
	for _, v := range regex {
		whole = append(whole, "(?s:.*)(?"+flags+":"+v+")(?s:.*)")
	}
	return whole
}

func checkValue(field, v string) error {
	ok := len(v) > 0 && len(v) <= 128
	switch field {
	case "path-pattern":
		ok = ok && pathChars.MatchString(v)
	case "host-header":
		ok = ok && hostChars.MatchString(v)
	case "http-request-method":
		ok = ok && methodChars.MatchString(v)
	case "source-ip":
		p, err := netip.ParsePrefix(v)
		if err != nil {
			return errValidation("The value '%s' is not a valid CIDR block", v)
		}
		ok = p == p.Masked()
	}
	if !ok {
		return errValidation("Condition value '%s' for field '%s' contains invalid characters or has an invalid length", v, field)
	}
	return nil
}
