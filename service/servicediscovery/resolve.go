package servicediscovery

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/kernel/store"
)

// answerMost is how many records Route 53 puts into one multivalue answer.
const answerMost = 8

// Resolve answers the A records of a name in a VPC: up to eight healthy
// instances at random, or unhealthy ones when no other are left.
//
// ok says that the name lies in one of the VPC's namespaces: then no addresses
// mean that the name does not exist, and nobody else is to be asked. The name
// may end with a dot; case does not matter.
func Resolve(r store.Reader, vpcID, name string) (ips []netip.Addr, ttl time.Duration, ok bool) {
	g, first, ok := lookup(r, vpcID, name)
	if g.ID == "" {
		return nil, 0, ok
	}
	if first == "" && !hasRecord(g, "A") {
		return nil, 0, ok
	}
	for _, i := range choose(r, g) {
		if first != "" && !strings.EqualFold(i.ID, first) {
			continue
		}
		if ip, err := netip.ParseAddr(i.Attributes[AttributeIPv4]); err == nil {
			ips = append(ips, ip)
		}
	}
	return ips, ttlOf(g, "A"), ok
}

// Target is one SRV record: priority and weight are 1, as Cloud Map sets them.
type Target struct {
	Name string // <instance>.<service>.<namespace>, which Resolve knows
	Port uint16
}

// ResolveSRV answers the SRV records of a name in a VPC; ok is as in Resolve.
func ResolveSRV(r store.Reader, vpcID, name string) (targets []Target, ttl time.Duration, ok bool) {
	g, first, ok := lookup(r, vpcID, name)
	if g.ID == "" || first != "" || !hasRecord(g, "SRV") {
		return nil, 0, ok
	}
	host := strings.TrimSuffix(strings.ToLower(name), ".")
	for _, i := range choose(r, g) {
		if port, err := strconv.ParseUint(i.Attributes[AttributePort], 10, 16); err == nil {
			targets = append(targets, Target{Name: strings.ToLower(i.ID) + "." + host, Port: uint16(port)})
		}
	}
	return targets, ttlOf(g, "SRV"), ok
}

// ResolveAlias answers the CNAME record of a name in a VPC: one instance at
// random, as such services are weighted. target is empty when there is none; ok
// is as in Resolve.
func ResolveAlias(r store.Reader, vpcID, name string) (target string, ttl time.Duration, ok bool) {
	g, first, ok := lookup(r, vpcID, name)
	if g.ID == "" || first != "" || !hasRecord(g, "CNAME") {
		return "", 0, ok
	}
	for _, i := range choose(r, g) {
		target = i.Attributes[AttributeCNAME]
	}
	return target, ttlOf(g, "CNAME"), ok
}

// lookup finds the service that a name means. first is the label before it,
// which names one instance of a service with SRV records. The Registry is zero
// when there is none; in says whether the name lies in a namespace.
func lookup(r store.Reader, vpcID, name string) (g Registry, first string, in bool) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	for n := range Namespaces.By(r, "vpc", vpcID) {
		zone := strings.ToLower(n.Name)
		prefix, under := strings.CutSuffix(name, "."+zone)
		if !under {
			in = in || name == zone
			continue
		}
		in = true
		instance, rest, _ := strings.Cut(prefix, ".")
		for s := range Services.By(r, "namespace", n.ID) {
			if s.APIOnly {
				continue
			}
			if strings.EqualFold(s.Name, prefix) {
				return s, "", true
			}
			if strings.EqualFold(s.Name, rest) && hasRecord(s, "SRV") {
				g, first = s, instance
			}
		}
	}
	return g, first, in
}

// choose picks the instances for one answer.
func choose(r store.Reader, g Registry) []Instance {
	var healthy, sick []Instance
	for i := range Instances.List(r, g.Scope.Key("instance", g.ID, "")) {
		if g.Custom && i.Unhealthy {
			sick = append(sick, i)
			continue
		}
		healthy = append(healthy, i)
	}
	if len(healthy) == 0 {
		healthy = sick
	}
	rand.Shuffle(len(healthy), func(a, b int) { healthy[a], healthy[b] = healthy[b], healthy[a] })
	if g.Routing == "WEIGHTED" {
		return healthy[:min(len(healthy), 1)]
	}
	return healthy[:min(len(healthy), answerMost)]
}

func hasRecord(g Registry, typ string) bool {
	for _, rec := range g.Records {
		if rec.Type == typ {
			return true
		}
	}
	return false
}

// ttlOf is the TTL of a record type; an instance behind SRV records has theirs.
func ttlOf(g Registry, typ string) time.Duration {
	for _, rec := range g.Records {
		if rec.Type == typ || rec.Type == "SRV" && typ == "A" && !hasRecord(g, "A") {
			return time.Duration(rec.TTL) * time.Second
		}
	}
	return 0
}
