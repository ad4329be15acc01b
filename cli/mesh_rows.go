package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/api/engineapi"
)

// meshRows are the two tables of mesh: who talks to whom, and the tasks that do.
func (p *platform) meshRows(r meshReport, now time.Time) []string {
	rows := p.edgeRows(r.Edges)
	if len(r.Edges) == 0 {
		rows = []string{p.faint("no service has called another yet")}
	}
	if len(r.Nodes) == 0 {
		return append(rows, "", p.faint("no task of "+r.Mesh+" runs"))
	}
	return append(append(rows, ""), p.nodeRows(r.Nodes, now)...)
}

func (p *platform) edgeRows(edges []traffic) []string {
	table := [][]string{p.faints("FROM", "", "TO", "mTLS", "REQ/S", "SUCCESS", "P50 ms", "P99 ms", "RETRIES", "EJECTED", "OVERFLOWS", "REQUESTS", "REFUSED")}
	for _, e := range edges {
		table = append(table, []string{
			p.bold(p.member(e.Source)), p.faint("→"), p.bold(p.member(e.Destination)), p.mutual(e), figure(e.Rate, 1, 1), p.share(e.Success),
			figure(e.P50, 1, 1), figure(e.P99, 1, 1), p.some(e.Retries), p.some(e.Ejections), p.some(e.Overflows), fmt.Sprint(e.Requests), p.refusals(e),
		})
	}
	return columns(table, 4, 11)
}

func (p *platform) nodeRows(nodes []engineapi.MeshNode, now time.Time) []string {
	table := [][]string{p.faints("SERVICE", "TASK", "IP", "CERTIFICATE", "EXPIRES IN", "CONFIGURATION")}
	for _, n := range nodes {
		table = append(table, []string{p.bold(p.member(n.Name)), brief(n.Task), orDash(n.IP), aged(issued(n), now), p.expiry(n, now), p.configured(n)})
	}
	return columns(table, -1, -1)
}

// member is a node or virtual service by its name in the manifest, or as it is called if the manifest does not know it.
func (p *platform) member(name string) string {
	for i := range p.manifest.Services {
		if s := &p.manifest.Services[i]; name == p.names.Node(s.Name) || name == p.names.Host(s) {
			return s.Name
		}
	}
	return name
}

func (p *platform) mutual(e traffic) string {
	switch {
	case e.MTLS == nil:
		return "-"
	case *e.MTLS:
		return p.green("yes")
	}
	return p.red("no")
}

func (p *platform) share(v *float64) string {
	if v == nil {
		return "-"
	}
	out := figure(v, 100, 2) + " %"
	switch {
	case *v < 0.99:
		return p.red(out)
	case *v < 1:
		return p.yellow(out)
	}
	return out
}

// some is a count of what should not be much.
func (p *platform) some(n int64) string {
	if n == 0 {
		return "0"
	}
	return p.yellow(fmt.Sprint(n))
}

// refusals are the handshakes that failed, by reason: 3 san, 1 expired.
func (p *platform) refusals(e traffic) string {
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(e.TLSFailures)) {
		out = append(out, fmt.Sprintf("%d %s", e.TLSFailures[reason], reason))
	}
	if len(out) == 0 {
		return "-"
	}
	return p.red(strings.Join(out, ", "))
}

func aged(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return age(at, now) + " old"
}

// soon is when a certificate should have been renewed long ago: it is after two thirds of its life.
const soon = 6

func (p *platform) expiry(n engineapi.MeshNode, now time.Time) string {
	switch left := n.NotAfter.Sub(now); {
	case n.NotAfter.IsZero():
		return p.yellow("no certificate")
	case left <= 0:
		return p.red("expired " + age(n.NotAfter, now) + " ago")
	case left < n.NotAfter.Sub(n.NotBefore)/soon:
		return p.red(age(now, n.NotAfter))
	default:
		return age(now, n.NotAfter)
	}
}

func (p *platform) configured(n engineapi.MeshNode) string {
	switch {
	case !n.Connected:
		return p.red("not connected")
	case n.Nack != "":
		return p.red("refused: " + n.Nack)
	case n.Acked == n.Version:
		return p.green("current")
	case n.Acked == "":
		return p.yellow("none taken yet")
	}
	return p.yellow("behind: " + n.Acked + ", not " + n.Version)
}

// faints is the head of a table.
func (a *app) faints(words ...string) []string {
	for i := range words {
		words[i] = a.faint(words[i])
	}
	return words
}

// issued is when a node's certificate was made.
func issued(n engineapi.MeshNode) time.Time {
	if n.Issued.IsZero() {
		return n.NotBefore
	}
	return n.Issued
}
