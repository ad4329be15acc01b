package manifest

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checker finds what no single value shows: references, sums, combinations.
type checker struct {
	*decoder
	m *Manifest
}

// check reports every inconsistency of a manifest whose values were all readable.
func check(d *decoder, m *Manifest, o Options) {
	c := checker{d, m}
	if c.sound("environment", "name") {
		c.naming(o)
	}
	if c.sound("tags") {
		c.tags()
	}
	if c.sound("network") {
		c.network()
	}
	if c.sound("cluster") {
		c.cluster()
	}
	if c.sound("loadBalancer") {
		c.loadBalancer()
	}
	if c.sound("monitoring") {
		c.monitoring()
	}
	if c.sound("mesh", "defaults") {
		c.unmeshed("defaults")
	}
	if len(m.Services) == 0 && c.sound("services") {
		c.wrong("services", "at least one service is needed")
	}
	for i := range m.Services {
		if c.sound("defaults", "mesh", "services."+m.Services[i].Name) {
			c.service(&m.Services[i])
		}
	}
	if c.sound("services") {
		c.unique()
	}
}

// sound tells whether everything at and below some paths could be read.
func (c checker) sound(paths ...string) bool {
	return !slices.ContainsFunc(c.broken, func(broken string) bool {
		return broken == "" || slices.ContainsFunc(paths, func(p string) bool {
			return broken == p || strings.HasPrefix(broken, p+".") || strings.HasPrefix(broken, p+"[")
		})
	})
}

// naming checks the names that are put together from several.
func (c checker) naming(o Options) {
	if !environment.MatchString(c.m.Environment) {
		at := Position{}
		if o.Environment == "" {
			at = nearest(c.at, "environment")
		}
		c.report(at, "environment", "%q does not fit; want up to 12 small letters, digits and dashes, no dash at an end", c.m.Environment)
		return
	}
	if name := c.m.Name + "-" + c.m.Environment; len(name) > 32 {
		c.wrong("name", "%s is the load balancer's name, which has at most 32 characters", name)
	} else if strings.HasPrefix(name, "internal-") {
		c.wrong("name", "a load balancer's name may not begin with internal-")
	}
}

var environment = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$`)

// wrong reports an error at the position of a path; a service's value that stands under defaults is shown there.
func (c checker) wrong(path, format string, args ...any) {
	at := path
	if _, written := c.at[path]; !written && strings.HasPrefix(path, "services.") {
		if parts := strings.SplitN(path, ".", 3); len(parts) == 3 {
			if _, shared := c.at["defaults."+parts[2]]; shared {
				at = "defaults." + parts[2]
			}
		}
	}
	c.report(nearest(c.at, at), path, format, args...)
}

func (d *decoder) report(at Position, path, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.file, Position: at, Path: path, Message: fmt.Sprintf(format, args...), Source: d.source(at.Line)})
}

func (c checker) tags() {
	if len(c.m.Tags) > 40 {
		c.wrong("tags", "%d tags; a resource holds 50, of which 10 are kept for the platform's own", len(c.m.Tags))
	}
	for key, value := range c.m.Tags {
		at := "tags." + key
		switch {
		case key == "Name" || key == "Environment":
			c.wrong(at, "is set by the platform")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			c.wrong(at, "keys that begin with aws: are AWS's own")
		case len(key) == 0 || len(key) > 128 || len(value) > 256:
			c.wrong(at, "a key has 1 to 128 characters, a value up to 256")
		}
	}
}

func (c checker) network() {
	n := c.m.Network
	prefix, err := netip.ParsePrefix(n.CIDR)
	switch {
	case err != nil || !prefix.Addr().Is4():
		c.wrong("network.cidr", "%q is no IPv4 address range, as 10.0.0.0/16 is", n.CIDR)
	case prefix.Bits() < 16 || prefix.Bits() > 24:
		c.wrong("network.cidr", "a /%d does not fit; allowed: /16 to /24", prefix.Bits())
	case prefix != prefix.Masked():
		c.wrong("network.cidr", "%s has bits set beyond its prefix; did you mean %s?", n.CIDR, prefix.Masked())
	default:
		if bits := min(prefix.Bits()+8, 28); 1<<(bits-prefix.Bits()) < 2*n.Zones {
			c.wrong("network.cidr", "a /%d has no room for %d subnets", prefix.Bits(), 2*n.Zones)
		}
	}
	c.distinct("network.endpoints", n.Endpoints)
	if n.NAT == "none" {
		for _, need := range []string{"s3", "ecr.api", "ecr.dkr", "logs"} {
			if !slices.Contains(n.Endpoints, need) {
				c.wrong("network.nat", "without a NAT gateway tasks start only if the endpoints s3, ecr.api, ecr.dkr and logs exist; %s is missing", need)
			}
		}
		for i := range c.m.Services {
			if s := &c.m.Services[i]; s.Image != "" {
				c.wrong("services."+s.Name+".image", "cannot be pulled: the network has no NAT gateway, and only images of the platform's own registry come through its endpoints")
			}
		}
	}
}

func (c checker) cluster() {
	k := c.m.Cluster
	if k.Spot.Weight == 0 && k.OnDemand.Weight == 0 {
		c.wrong("cluster", "spot or onDemand needs a weight above 0, else no task has a place")
	}
	if k.Spot.Base > 0 && k.OnDemand.Base > 0 {
		c.wrong("cluster.onDemand.base", "only one of spot and onDemand may have a base")
	}
}

func (c checker) loadBalancer() {
	l := c.m.LoadBalancer
	if len(l.Allow) == 0 {
		c.wrong("loadBalancer.allow", "nobody could connect; name an address range")
	}
	for i, cidr := range l.Allow {
		if p, err := netip.ParsePrefix(cidr); err != nil || !p.Addr().Is4() || p != p.Masked() {
			c.wrong(fmt.Sprintf("loadBalancer.allow[%d]", i), "%q is no IPv4 address range, as 0.0.0.0/0 is", cidr)
		}
	}
	c.distinct("loadBalancer.allow", l.Allow)
	if l.HTTPS.Certificate != "" && l.HTTPS.Port == l.Port {
		c.wrong("loadBalancer.https.port", "%d is the HTTP listener's port", l.Port)
	}
	if l.HTTPS.Certificate == "" && c.at["loadBalancer.https"] != (Position{}) {
		c.wrong("loadBalancer.https", "certificate is missing: an HTTPS listener needs one")
	}
}

func (c checker) distinct(path string, list []string) {
	for i, s := range list {
		if slices.Contains(list[:i], s) {
			c.wrong(fmt.Sprintf("%s[%d]", path, i), "%q is given twice", s)
		}
	}
}

// inside tells whether a path of the manifest stays below the manifest's folder.
func inside(path string) bool { return filepath.IsLocal(filepath.Clean(cmp.Or(path, "."))) }
