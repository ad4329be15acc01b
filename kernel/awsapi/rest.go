package awsapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/api/model"
)

// route is the address of one REST operation.
type route struct {
	method   string
	segments []string   // "{Bucket}" is a label, "{Key+}" takes the rest
	fixed    url.Values // query parameters that must be there, with their values
	query    []string   // query parameters and headers that the model requires
	header   []string
	members  []string // every query parameter the operation knows
	name     string
}

// routesOf makes the routes of all modelled operations, the most specific
// first, so that operations that are not implemented can be named too.
func routesOf(m *model.Service) []route {
	var all []route
	for name, op := range m.Operations {
		path, rawQuery, _ := strings.Cut(op.HTTP.RequestURI, "?")
		fixed, _ := url.ParseQuery(rawQuery) // the model's own
		r := route{method: op.HTTP.Method, segments: strings.Split(strings.TrimPrefix(path, "/"), "/"), fixed: fixed, name: name}
		if op.Input != nil {
			r.addMembers(op.Input.Shape)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b route) int {
		if d := b.weight() - a.weight(); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return all
}

func (r *route) addMembers(s *model.Shape) {
	for _, f := range s.Members {
		required := slices.Contains(s.Required, f.Name)
		switch f.Location {
		case "querystring":
			r.members = append(r.members, f.LocationName)
			if required {
				r.query = append(r.query, f.LocationName)
			}
		case "header":
			if required {
				r.header = append(r.header, f.LocationName)
			}
		}
	}
}

// weight orders routes: literal segments before labels, demanded parameters
// before none.
func (r *route) weight() int {
	w := 10 * (len(r.fixed) + len(r.query) + len(r.header))
	for _, s := range r.segments {
		if !strings.HasPrefix(s, "{") {
			w++
		}
	}
	return w
}

// match finds the operation of a request and the values of its path labels;
// with virtualHosts a bucket may be part of the host's name instead.
// The name is empty when none matches.
func match(routes []route, r *http.Request, virtualHosts bool) (name string, labels map[string]string) {
	path := r.URL.EscapedPath()
	if virtualHosts {
		if bucket := BucketOf(r.Host); bucket != "" {
			path = "/" + bucket + path
		}
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	q := r.URL.Query()
	for i := range routes {
		if l, ok := routes[i].accepts(r, segments, q); ok {
			return routes[i].name, l
		}
	}
	return "", nil
}

func (r *route) accepts(req *http.Request, segments []string, q url.Values) (map[string]string, bool) {
	if r.method != req.Method {
		return nil, false
	}
	labels, ok := r.labels(segments)
	if !ok {
		return nil, false
	}
	for k, v := range r.fixed {
		if !q.Has(k) || v[0] != "" && q.Get(k) != v[0] {
			return nil, false
		}
	}
	for _, k := range r.query {
		if !q.Has(k) {
			return nil, false
		}
	}
	for _, k := range r.header {
		if req.Header.Get(k) == "" {
			return nil, false
		}
	}
	for k, v := range q { // "?inventory" names an operation of its own, not a listing
		if v[0] == "" && !r.fixed.Has(k) && !slices.Contains(r.members, k) {
			return nil, false
		}
	}
	return labels, true
}

// labels matches the path's segments. A trailing slash matters only to a
// greedy label.
func (r *route) labels(segments []string) (map[string]string, bool) {
	last := r.segments[len(r.segments)-1]
	greedy := strings.HasSuffix(last, "+}")
	if !greedy && len(segments) == len(r.segments)+1 && segments[len(segments)-1] == "" {
		segments = segments[:len(segments)-1]
	}
	if len(segments) < len(r.segments) || !greedy && len(segments) > len(r.segments) {
		return nil, false
	}
	labels := map[string]string{}
	for i, want := range r.segments {
		got := segments[i]
		if greedy && i == len(r.segments)-1 {
			got = strings.Join(segments[i:], "/")
		}
		if !strings.HasPrefix(want, "{") {
			if got != want {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(got)
		if err != nil || value == "" {
			return nil, false
		}
		labels[strings.Trim(want, "{+}")] = value
	}
	return labels, true
}
