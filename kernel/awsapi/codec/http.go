package codec

import (
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// BindRequest fills the members of dst that travel in the path, the query and
// the headers of a REST request. labels are the path's values by label name.
func BindRequest(p *Plan, labels map[string]string, query url.Values, header http.Header, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	for i := range p.Fields {
		f := &p.Fields[i]
		node := requestValue(f, labels, query, header)
		if node == nil {
			continue
		}
		if err := bind(f.Plan, XML, node, f.Value(v)); err != nil {
			return under(err, f.Ref.Name)
		}
	}
	return nil
}

// requestValue is the raw value of a member outside the body, nil when absent.
func requestValue(f *Field, labels map[string]string, query url.Values, header http.Header) any {
	name := f.locationName()
	switch f.Ref.Location {
	case "uri":
		if s, ok := labels[name]; ok {
			return s
		}
	case "querystring":
		return queryValue(f, name, query)
	case "header":
		return headerValue(f, header.Values(name))
	case "headers":
		return prefixed(header, name)
	}
	return nil
}

func queryValue(f *Field, name string, query url.Values) any {
	if f.Plan.Kind == Map { // every parameter that is not a member's
		m := map[string]any{}
		for k, v := range query {
			m[k] = v[0]
		}
		return m
	}
	values, ok := query[name]
	if !ok || len(values) == 0 {
		return nil
	}
	if f.Plan.Kind == List {
		list := make([]any, len(values))
		for i, s := range values {
			list[i] = s
		}
		return list
	}
	return values[0]
}

func headerValue(f *Field, values []string) any {
	if len(values) == 0 {
		return nil
	}
	if f.Plan.Kind != List {
		return values[0]
	}
	var list []any
	for _, line := range values {
		for s := range strings.SplitSeq(line, ",") {
			list = append(list, strings.TrimSpace(s))
		}
	}
	return list
}

// prefixed collects headers such as x-amz-meta-*, keyed by the rest of their
// names in lower case.
func prefixed(header http.Header, prefix string) any {
	m := map[string]any{}
	for name, values := range header {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			m[strings.ToLower(name[len(prefix):])] = strings.Join(values, ",")
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}

func (f *Field) locationName() string {
	if f.Ref.LocationName != "" {
		return f.Ref.LocationName
	}
	return f.Ref.Name
}

// headerFormat is the time format of a header: RFC 822 unless the model says
// otherwise.
func (f *Field) headerFormat() string {
	if f.timeFormat == "" {
		return "rfc822"
	}
	return f.timeFormat
}

// SetHeaders writes the members of the struct v that travel in headers. status
// is the HTTP status that a member asks for, or 0.
func SetHeaders(p *Plan, v reflect.Value, header http.Header) (status int) {
	v = deref(v)
	for i := range p.Fields {
		f := &p.Fields[i]
		fv := f.Value(v)
		if absent(fv) {
			continue
		}
		fv = deref(fv)
		switch f.Ref.Location {
		case "header":
			header.Set(f.locationName(), headerText(f, fv))
		case "headers":
			for _, k := range sortedKeys(fv) {
				// Not Header.Set: S3 gives these names back in lower case.
				header[strings.ToLower(f.locationName()+k.String())] = []string{clean(fv.MapIndex(k).String())}
			}
		case "statusCode":
			status = int(fv.Int())
		}
	}
	return status
}

func headerText(f *Field, v reflect.Value) string {
	if f.Plan.Kind == List {
		items := make([]string, v.Len())
		for i := range items {
			items[i] = clean(text(f.Plan.Elem, deref(v.Index(i)), f.headerFormat()))
		}
		return strings.Join(items, ",")
	}
	return clean(text(f.Plan, v, f.headerFormat()))
}

// clean keeps a value from ending its header.
func clean(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}

// BindHeaders is the client's side of SetHeaders.
func BindHeaders(p *Plan, header http.Header, status int, dst any) error {
	v := reflect.ValueOf(dst).Elem()
	for i := range p.Fields {
		f := &p.Fields[i]
		var node any
		switch f.Ref.Location {
		case "header":
			node = headerValue(f, header[textproto.CanonicalMIMEHeaderKey(f.locationName())])
		case "headers":
			node = prefixed(header, f.locationName())
		case "statusCode":
			node = strconv.Itoa(status)
		}
		if node == nil {
			continue
		}
		if err := bind(f.Plan, XML, node, f.Value(v)); err != nil {
			return under(err, f.Ref.Name)
		}
	}
	return nil
}

// RequestPath fills the path template of an operation from the struct v and
// adds the members that travel in the query. A "{Key+}" label keeps slashes.
func RequestPath(template string, p *Plan, v reflect.Value, query url.Values) string {
	v = deref(v)
	for i := range p.Fields {
		f := &p.Fields[i]
		fv := f.Value(v)
		name := f.locationName()
		if f.Ref.Location == "uri" {
			s := ""
			if !absent(fv) {
				s = text(f.Plan, deref(fv), f.timeFormat)
			}
			template = strings.Replace(template, "{"+name+"}", escapeLabel(s, false), 1)
			template = strings.Replace(template, "{"+name+"+}", escapeLabel(s, true), 1)
		}
		if f.Ref.Location == "querystring" && !absent(fv) {
			addQuery(query, name, f, deref(fv))
		}
	}
	return template
}

func addQuery(query url.Values, name string, f *Field, v reflect.Value) {
	switch f.Plan.Kind {
	case List:
		for i := range v.Len() {
			query.Add(name, text(f.Plan.Elem, deref(v.Index(i)), f.timeFormat))
		}
	case Map:
		for _, k := range sortedKeys(v) {
			query.Add(k.String(), v.MapIndex(k).String())
		}
	default:
		query.Set(name, text(f.Plan, v, f.timeFormat))
	}
}

// escapeLabel escapes all but RFC 3986's unreserved characters, as signatures
// demand, and slashes unless greedy.
func escapeLabel(s string, greedy bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte("-_.~", c) >= 0, greedy && c == '/':
			b.WriteByte(c)
		default:
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		}
	}
	return b.String()
}
