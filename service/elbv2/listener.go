package elbv2

import (
	"context"
	"slices"

	"github.com/slipway-dev/slipway/api/elbv2api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// listener finds a listener of the caller by its ARN.
func listener(r store.Reader, scope arn.Scope, id string) (Listener, error) {
	if err := checkARN(id, "listener/", "listener"); err != nil {
		return Listener{}, err
	}
	l, err := Listeners.Get(r, id)
	if err != nil || l.Scope != scope {
		return Listener{}, errListenerNotFound()
	}
	return l, nil
}

// CreateListener opens a port of a load balancer, with a default rule.
func (s *Service) CreateListener(ctx context.Context, in *elbv2api.CreateListenerInput) (*elbv2api.CreateListenerOutput, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	id, ruleID := awsapi.NewID(ctx, "", 16), awsapi.NewID(ctx, "", 16)
	return update(s, func(tx *store.Tx) (*elbv2api.CreateListenerOutput, error) {
		b, err := balancer(tx, scopeOf(ctx), val(in.LoadBalancerArn))
		if err != nil {
			return nil, err
		}
		l := Listener{Scope: b.Scope, LoadBalancerARN: b.ARN, Tags: tags, ARN: b.Scope.ARN("elasticloadbalancing", "listener/app/"+b.Name+"/"+b.ID+"/"+id)}
		if old, err := Listeners.Get(tx, l.ARN); err == nil { // the same token again
			return &elbv2api.CreateListenerOutput{Listeners: []elbv2api.Listener{old.api(tx)}}, nil
		}
		if err := l.change(tx, in.Port, in.Protocol, in.SslPolicy, in.Certificates, in.MutualAuthentication); err != nil {
			return nil, err
		}
		if n := countOf(Listeners.By(tx, "loadbalancer", b.ARN)); n >= maxListeners {
			return nil, errTooMany("TooManyListeners", "The maximum number of listeners has been reached on load balancer '%s'", b.ARN)
		}
		actions, err := checkActions(tx, l, in.DefaultActions)
		if err != nil {
			return nil, err
		}
		Listeners.Put(tx, l)
		Rules.Put(tx, Rule{Scope: l.Scope, ARN: ruleARN(l, ruleID), ListenerARN: l.ARN, Default: true, Actions: actions})
		return &elbv2api.CreateListenerOutput{Listeners: []elbv2api.Listener{l.api(tx)}}, nil
	})
}

// change sets what is given and checks the whole.
func (l *Listener) change(r store.Reader, port *int32, protocol elbv2api.ProtocolEnum, sslPolicy *string, certs []elbv2api.Certificate, mutual *elbv2api.MutualAuthenticationAttributes) error {
	if port != nil {
		l.Port = int(*port)
	}
	if protocol != "" {
		l.Protocol = protocol
	}
	if sslPolicy != nil {
		l.SSLPolicy = *sslPolicy
	}
	if len(certs) > 1 {
		return fault("TooManyCertificates", "Only one default certificate can be specified; add others with AddListenerCertificates")
	}
	if len(certs) == 1 {
		rest := l.Certificates
		if len(rest) > 0 {
			rest = rest[1:]
		}
		l.Certificates = append([]string{val(certs[0].CertificateArn)}, rest...)
	}
	switch {
	case l.Protocol == "":
		return errValidation("A listener protocol must be specified")
	case l.Protocol != "HTTP" && l.Protocol != "HTTPS":
		return fault("UnsupportedProtocol", "Listener protocol '%s' is not supported with load balancers of type 'application'", l.Protocol)
	case l.Port == 0:
		return errValidation("A listener port must be specified")
	case l.Port < 1 || l.Port > 65535:
		return errValidation("Listener port '%d' must be between 1 and 65535", l.Port)
	case mutual != nil && val(mutual.Mode) != "" && *mutual.Mode != "off":
		return errConfiguration("Mutual authentication mode '%s' is not supported by this engine", *mutual.Mode)
	}
	for other := range Listeners.By(r, "loadbalancer", l.LoadBalancerARN) {
		if other.ARN != l.ARN && other.Port == l.Port {
			return fault("DuplicateListener", "A listener already exists on this port for this load balancer '%s'", l.LoadBalancerARN)
		}
	}
	if l.Protocol == "HTTP" {
		if len(certs) > 0 || sslPolicy != nil && *sslPolicy != "" {
			return errValidation("A certificate or security policy cannot be specified for HTTP listeners")
		}
		l.Certificates, l.SSLPolicy = nil, ""
		return nil
	}
	if len(l.Certificates) == 0 {
		return fault("CertificateNotFound", "A certificate must be specified for HTTPS listeners")
	}
	if err := checkCertificate(l.Certificates[0]); err != nil {
		return err
	}
	if l.SSLPolicy == "" {
		l.SSLPolicy = defaultPolicy
	}
	_, err := policyNamed(l.SSLPolicy)
	return err
}

func checkCertificate(id string) error {
	a, err := arn.Parse(id)
	if err != nil || a.Service != "acm" && a.Service != "iam" {
		return fault("CertificateNotFound", "Certificate ARN '%s' is not valid", id)
	}
	return nil
}

func defaultRule(r store.Reader, listenerARN string) (Rule, bool) {
	for rule := range Rules.By(r, "listener", listenerARN) {
		if rule.Default {
			return rule, true
		}
	}
	return Rule{}, false
}

func (l Listener) api(r store.Reader) elbv2api.Listener {
	out := elbv2api.Listener{
		ListenerArn: new(l.ARN), LoadBalancerArn: new(l.LoadBalancerARN), Port: new(int32(l.Port)), Protocol: l.Protocol,
	}
	if d, ok := defaultRule(r, l.ARN); ok {
		out.DefaultActions = d.Actions
	}
	if l.Protocol == "HTTPS" {
		out.SslPolicy = new(l.SSLPolicy)
		out.Certificates = []elbv2api.Certificate{{CertificateArn: new(l.Certificates[0])}}
		out.MutualAuthentication = &elbv2api.MutualAuthenticationAttributes{Mode: new("off")}
	}
	return out
}

// DescribeListeners lists the listeners of a load balancer, or those asked for.
func (s *Service) DescribeListeners(ctx context.Context, in *elbv2api.DescribeListenersInput) (*elbv2api.DescribeListenersOutput, error) {
	snap, scope := s.store.Snapshot(), scopeOf(ctx)
	var rows []Listener
	switch {
	case in.LoadBalancerArn != nil:
		b, err := balancer(snap, scope, *in.LoadBalancerArn)
		if err != nil {
			return nil, err
		}
		rows = slices.Collect(Listeners.By(snap, "loadbalancer", b.ARN))
	case len(in.ListenerArns) > 0:
		for _, id := range in.ListenerArns {
			l, err := listener(snap, scope, id)
			if err != nil {
				return nil, err
			}
			rows = append(rows, l)
		}
	default:
		return nil, errValidation("You must specify either listener ARNs or a load balancer ARN")
	}
	page, next, err := paged(rows, func(l Listener) string { return l.ARN }, in.Marker, in.PageSize)
	out := &elbv2api.DescribeListenersOutput{Listeners: []elbv2api.Listener{}, NextMarker: next}
	for _, l := range page {
		out.Listeners = append(out.Listeners, l.api(snap))
	}
	return out, err
}

// ModifyListener changes what is given.
func (s *Service) ModifyListener(ctx context.Context, in *elbv2api.ModifyListenerInput) (*elbv2api.ModifyListenerOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.ModifyListenerOutput, error) {
		l, err := listener(tx, scopeOf(ctx), val(in.ListenerArn))
		if err != nil {
			return nil, err
		}
		if err := l.change(tx, in.Port, in.Protocol, in.SslPolicy, in.Certificates, in.MutualAuthentication); err != nil {
			return nil, err
		}
		if d, ok := defaultRule(tx, l.ARN); ok && len(in.DefaultActions) > 0 {
			if d.Actions, err = checkActions(tx, l, in.DefaultActions); err != nil {
				return nil, err
			}
			Rules.Put(tx, d)
		}
		Listeners.Put(tx, l)
		return &elbv2api.ModifyListenerOutput{Listeners: []elbv2api.Listener{l.api(tx)}}, nil
	})
}

// DeleteListener closes a port, with its rules.
func (s *Service) DeleteListener(ctx context.Context, in *elbv2api.DeleteListenerInput) (*elbv2api.DeleteListenerOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.DeleteListenerOutput, error) {
		l, err := listener(tx, scopeOf(ctx), val(in.ListenerArn))
		if err != nil {
			return nil, err
		}
		deleteListener(tx, l)
		return &elbv2api.DeleteListenerOutput{}, nil
	})
}

func deleteListener(tx *store.Tx, l Listener) {
	for _, rule := range slices.Collect(Rules.By(tx, "listener", l.ARN)) {
		Rules.Delete(tx, rule.ARN)
	}
	Listeners.Delete(tx, l.ARN)
}

// AddListenerCertificates adds certificates chosen by server name.
func (s *Service) AddListenerCertificates(ctx context.Context, in *elbv2api.AddListenerCertificatesInput) (*elbv2api.AddListenerCertificatesOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.AddListenerCertificatesOutput, error) {
		l, err := httpsListener(tx, scopeOf(ctx), val(in.ListenerArn))
		if err != nil {
			return nil, err
		}
		out := &elbv2api.AddListenerCertificatesOutput{}
		certs := slices.Clone(l.Certificates)
		for _, c := range in.Certificates {
			id := val(c.CertificateArn)
			if err := checkCertificate(id); err != nil {
				return nil, err
			}
			if !slices.Contains(certs[1:], id) {
				certs = append(certs, id)
			}
			out.Certificates = append(out.Certificates, elbv2api.Certificate{CertificateArn: new(id), IsDefault: new(false)})
		}
		if len(certs)-1 > maxCertificates {
			return nil, errTooMany("TooManyCertificates", "The maximum number of certificates has been reached on load balancer '%s'", l.LoadBalancerARN)
		}
		l.Certificates = certs
		Listeners.Put(tx, l)
		return out, nil
	})
}

func httpsListener(r store.Reader, scope arn.Scope, id string) (Listener, error) {
	l, err := listener(r, scope, id)
	if err == nil && l.Protocol != "HTTPS" {
		err = errConfiguration("Certificates cannot be specified for listeners with protocol '%s'", l.Protocol)
	}
	return l, err
}

// RemoveListenerCertificates removes certificates; the default one stays.
func (s *Service) RemoveListenerCertificates(ctx context.Context, in *elbv2api.RemoveListenerCertificatesInput) (*elbv2api.RemoveListenerCertificatesOutput, error) {
	return update(s, func(tx *store.Tx) (*elbv2api.RemoveListenerCertificatesOutput, error) {
		l, err := httpsListener(tx, scopeOf(ctx), val(in.ListenerArn))
		if err != nil {
			return nil, err
		}
		certs := l.Certificates[:1:1]
		for _, id := range l.Certificates[1:] {
			if !slices.ContainsFunc(in.Certificates, func(c elbv2api.Certificate) bool { return val(c.CertificateArn) == id }) {
				certs = append(certs, id)
			}
		}
		if len(certs) == len(l.Certificates) && slices.ContainsFunc(in.Certificates, func(c elbv2api.Certificate) bool { return val(c.CertificateArn) == certs[0] }) {
			return nil, fault("OperationNotPermitted", "Default certificate '%s' cannot be removed", certs[0])
		}
		l.Certificates = certs
		Listeners.Put(tx, l)
		return &elbv2api.RemoveListenerCertificatesOutput{}, nil
	})
}

// DescribeListenerCertificates lists the default certificate and the others.
func (s *Service) DescribeListenerCertificates(ctx context.Context, in *elbv2api.DescribeListenerCertificatesInput) (*elbv2api.DescribeListenerCertificatesOutput, error) {
	l, err := httpsListener(s.store.Snapshot(), scopeOf(ctx), val(in.ListenerArn))
	if err != nil {
		return nil, err
	}
	var rows []elbv2api.Certificate
	for i, id := range l.Certificates {
		rows = append(rows, elbv2api.Certificate{CertificateArn: new(id), IsDefault: new(i == 0)})
	}
	page, next, err := paged(rows, func(c elbv2api.Certificate) string { return *c.CertificateArn }, in.Marker, in.PageSize)
	return &elbv2api.DescribeListenerCertificatesOutput{Certificates: page, NextMarker: next}, err
}

// ownedListener finds the listener a CloudFormation resource made, after a crash.
func ownedBy(ctx context.Context, tags map[string]string) bool {
	r, ok := cfn.From(ctx)
	return ok && r.Owns(tags)
}
