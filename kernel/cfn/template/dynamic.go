package template

import (
	"regexp"
	"strings"
)

// Dynamic is a reference {{resolve:service:key}}: ssm, ssm-secure or secretsmanager.
type Dynamic struct {
	Service string
	Key     string // everything after the service: "name:version", "secret-id:SecretString:json-key:version-stage:version-id"
}

// A Resolver looks up dynamic references.
type Resolver func(d Dynamic) (string, error)

var dynamicRef = regexp.MustCompile(`\{\{resolve:([a-z-]+):([^{}]+)\}\}`)

// HasDynamic reports whether a value contains a dynamic reference.
func HasDynamic(v any) bool {
	switch x := v.(type) {
	case string:
		return strings.Contains(x, "{{resolve:") && dynamicRef.MatchString(x)
	case []any:
		for _, item := range x {
			if HasDynamic(item) {
				return true
			}
		}
	case map[string]any:
		for _, item := range x {
			if HasDynamic(item) {
				return true
			}
		}
	}
	return false
}

// ResolveDynamic returns v with every dynamic reference replaced. v itself is not changed: what is stored keeps the reference, never the secret.
func ResolveDynamic(v any, resolve Resolver) (any, error) {
	switch x := v.(type) {
	case string:
		return resolveText(x, resolve)
	case []any:
		out := make([]any, len(x))
		for i, item := range x {
			r, err := ResolveDynamic(item, resolve)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(x))
		for k, item := range x {
			r, err := ResolveDynamic(item, resolve)
			if err != nil {
				return nil, err
			}
			out[k] = r
		}
		return out, nil
	default:
		return v, nil
	}
}

func resolveText(s string, resolve Resolver) (string, error) {
	if !strings.Contains(s, "{{resolve:") {
		return s, nil
	}
	var firstErr error
	out := dynamicRef.ReplaceAllStringFunc(s, func(ref string) string {
		m := dynamicRef.FindStringSubmatch(ref)
		v, err := resolveOne(Dynamic{Service: m[1], Key: m[2]}, resolve)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return v
	})
	return out, firstErr
}

func resolveOne(d Dynamic, resolve Resolver) (string, error) {
	switch d.Service {
	case "ssm", "ssm-secure", "secretsmanager":
	default:
		return "", fail(nil, "Could not parse the following dynamic reference: {{resolve:%s:%s}}. The service %s is not supported.", d.Service, d.Key, d.Service)
	}
	if resolve == nil {
		return "", fail(nil, "Could not resolve the dynamic reference {{resolve:%s:%s}}: this engine has no %s service yet.", d.Service, d.Key, d.Service)
	}
	return resolve(d)
}
