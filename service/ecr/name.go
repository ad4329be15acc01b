package ecr

import (
	"net"
	"regexp"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
)

var (
	// awsHost is a registry's host at AWS. The CDK's hotswap computes AWS::URLSuffix
	// itself, as the end of the name of the endpoint that it talks to: here a name of
	// the loopback.
	awsHost     = regexp.MustCompile(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.(?:amazonaws\.com|localhost|127(?:\.[0-9]{1,3}){3})(?::[0-9]+)?$`)
	scopePrefix = regexp.MustCompile(`^([0-9]{12})\.([a-z0-9-]+)/(.+)$`)
	validName   = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)
)

// URI is how clients on this machine name a repository: "localhost:4566/name"
// in the default account and region, "localhost:4566/<account>.<region>/name"
// in others.
func (s *Service) URI(scope arn.Scope, name string) string {
	return s.host + "/" + s.path(scope, name)
}

func (s *Service) path(scope arn.Scope, name string) string {
	if scope == s.scope {
		return name
	}
	return scope.Account + "." + scope.Region + "/" + name
}

// repository reads the name in a registry path: the host decides the account
// and region when it is AWS's form, then a prefix, then the default.
func (s *Service) repository(host, path string) (arn.Scope, string) {
	if m := awsHost.FindStringSubmatch(host); m != nil {
		return arn.Scope{Account: m[1], Region: m[2]}, path
	}
	if m := scopePrefix.FindStringSubmatch(path); m != nil {
		return arn.Scope{Account: m[1], Region: m[2]}, m[3]
	}
	return s.scope, path
}

// Canonical rewrites an image reference to the form that this registry serves
// under its own host, and says whether the reference is one of its own:
//
//	localhost:4566/web:v1                                   (and 127.0.0.1:4566)
//	123456789012.dkr.ecr.us-east-1.amazonaws.com/web@sha256:...
//	123456789012.dkr.ecr.us-east-1.localhost/web:v1         (as the CDK's hotswap has it)
func (s *Service) Canonical(ref string) (local string, ok bool) {
	host, rest, found := strings.Cut(ref, "/")
	if !found || rest == "" {
		return "", false
	}
	if !awsHost.MatchString(host) && !s.isOwn(host) {
		return "", false
	}
	scope, name := s.repository(host, rest)
	return s.host + "/" + s.path(scope, name), true
}

// Has reports whether there is a repository of a reference's name.
func (s *Service) Has(ref string) bool {
	host, rest, _ := strings.Cut(ref, "/")
	rest, _, _ = strings.Cut(rest, "@")
	rest, _, _ = strings.Cut(rest, ":")
	scope, name := s.repository(host, rest)
	_, err := Repositories.Get(s.store.Snapshot(), scope.Key(name))
	return err == nil
}

// isOwn accepts every name of the loopback with our port.
func (s *Service) isOwn(host string) bool {
	if host == s.host {
		return true
	}
	name, port, err := net.SplitHostPort(host)
	_, own, err2 := net.SplitHostPort(s.host)
	if err != nil || err2 != nil || port != own {
		return false
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}
