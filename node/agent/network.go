package agent

import (
	"context"
	"fmt"
	"strings"
)

// attachNetwork joins the task to its VPC. Its traffic goes through its proxy
// before any container is there; after a restart this is said again.
func (a *Agent) attachNetwork(l *live) (bool, error) {
	row := l.row
	begin(a, l, &l.attach, func(ctx context.Context) (string, error) {
		netns, err := a.cfg.Network.Attach(ctx, row.VPC, row.Interface)
		if err == nil && row.Proxy != nil {
			err = a.cfg.Network.Intercept(ctx, row.VPC, row.Interface, row.Proxy.Interception)
		}
		return netns, err
	})
	_, done, err := result(l, &l.attach)
	if err != nil {
		return false, &startFailure{"ResourceInitializationError", fmt.Sprintf("unable to set up the task's network: %v", err)}
	}
	return done, nil
}

func (a *Agent) detachNetwork(ctx context.Context, l *live) error {
	if err := a.cfg.Network.Detach(ctx, l.row.VPC, l.row.Interface); err != nil {
		return fmt.Errorf("detach %s from %s: %w", l.row.Interface, l.row.VPC, err)
	}
	return nil
}

// resolver is the address of the VPC's name server.
func resolver(t Task) string {
	if t.DNS != "" {
		return t.DNS
	}
	return "169.254.169.253" // AmazonProvidedDNS by its fixed address
}

// domain is the search domain of a region (enableDnsHostnames in the VPC user
// guide).
func domain(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// hostname is the task's private DNS name, or what EC2 makes of the address.
func hostname(t Task) string {
	if t.PrivateDNS != "" {
		return t.PrivateDNS
	}
	return "ip-" + strings.ReplaceAll(t.IP, ".", "-") + "." + domain(t.Scope.Region)
}

// networkFiles are those that every container of the task gets.
func networkFiles(t Task, c Container) map[string][]byte {
	host := hostname(t)
	if c.Hostname != "" {
		host = c.Hostname
	}
	var hosts strings.Builder
	fmt.Fprintf(&hosts, "127.0.0.1 localhost\n%s %s\n", t.IP, host)
	for name, ip := range sorted(c.ExtraHosts) {
		fmt.Fprintf(&hosts, "%s %s\n", ip, name)
	}
	return map[string][]byte{
		"/etc/hosts":       []byte(hosts.String()),
		"/etc/hostname":    []byte(host + "\n"),
		"/etc/resolv.conf": fmt.Appendf(nil, "search %s\nnameserver %s\n", domain(t.Scope.Region), resolver(t)),
	}
}
