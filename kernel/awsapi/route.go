package awsapi

import (
	"io"
	"net/http"
	"net/url"
	"strings"
)

// route finds out which operation of which service the request is for, and in
// which protocol. It reads the body of form posts, which name their operation
// there. It returns an error only when no service can be told.
func (m *Mux) route(x *exchange) error {
	x.queryMode = x.r.Header.Get("X-Amzn-Query-Mode") == "true"
	contentType, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	target := x.r.Header.Get("X-Amz-Target")
	switch {
	case target != "":
		x.protocol, x.jsonVersion = jsonRPC, jsonVersion(contentType)
		prefix, name, _ := strings.Cut(target, ".")
		x.service, x.name = m.byTarget[prefix], name
	case x.r.Header.Get("Smithy-Protocol") == "rpc-v2-cbor":
		x.protocol = cborRPC
		if p := strings.Split(x.r.URL.Path, "/"); len(p) == 5 && p[1] == "service" && p[3] == "operation" {
			x.service, x.name = m.byTarget[p[2]], p[4]
		}
	case m.isREST(x.auth.Service): // before forms: curl sends objects as one
		return m.routeREST(x)
	case contentType == "application/x-www-form-urlencoded" || x.r.URL.Query().Has("Action"):
		return m.routeForm(x)
	default:
		return m.routeREST(x)
	}
	if x.service == nil {
		return unknownService(x, target)
	}
	x.find()
	return nil
}

func (m *Mux) isREST(scope string) bool {
	s := m.byScope[scope]
	return s != nil && strings.HasPrefix(s.model.Metadata.Protocol, "rest-")
}

// find looks the named operation up.
func (x *exchange) find() {
	x.operation = x.service.operations[x.name]
	if op := x.service.model.Operations[x.name]; op != nil {
		x.unsigned = op.AuthType == "none"
	}
}

func jsonVersion(contentType string) string {
	if v, ok := strings.CutPrefix(contentType, "application/x-amz-json-"); ok && v == "1.0" {
		return "1.0"
	}
	return "1.1"
}

// routeForm routes the query protocols: by the scope of the signature, or by
// action and version when there is none.
func (m *Mux) routeForm(x *exchange) error {
	x.protocol = query
	var err error
	if x.body, err = readAll(x.w, x.r, m.config.MaxBody); err != nil {
		return err
	}
	x.form, err = url.ParseQuery(string(x.body))
	for k, v := range x.r.URL.Query() {
		if x.form == nil {
			x.form = url.Values{}
		}
		if _, inBody := x.form[k]; !inBody {
			x.form[k] = v
		}
	}
	x.name = x.form.Get("Action")
	x.service = m.byScope[x.auth.Service]
	if x.authErr != nil {
		x.service = m.byAction(x.name, x.form.Get("Version"))
	}
	if x.service == nil {
		if strings.HasPrefix(x.form.Get("Version"), "2016-11-15") {
			x.protocol = ec2Query
		}
		return unknownService(x, x.auth.Service)
	}
	if x.service.model.Metadata.Protocol == "ec2" {
		x.protocol = ec2Query
	}
	x.find()
	if err != nil {
		return Errorf("MalformedQueryString", http.StatusBadRequest, "The query string is malformed: %v", err)
	}
	return nil
}

// byAction finds the service that has the action in that API version.
func (m *Mux) byAction(action, version string) *Service {
	for _, s := range m.services {
		if s.model.Metadata.APIVersion == version && s.model.Operations[action] != nil {
			return s
		}
	}
	return nil
}

// routeREST routes by the scope of the signature and by method and path.
func (m *Mux) routeREST(x *exchange) error {
	x.protocol = restJSON
	x.service = m.byScope[x.auth.Service]
	if x.service == nil && m.anonymous(x) {
		return nil
	}
	if x.service == nil {
		if x.auth.Service == "s3" {
			x.protocol = restXML
		}
		return unknownService(x, x.auth.Service)
	}
	switch x.service.model.Metadata.Protocol {
	case "rest-xml":
		x.protocol = restXML
	case "rest-json":
	case "query":
		x.protocol = query
		return nil
	case "ec2":
		x.protocol = ec2Query
		return nil
	default:
		x.protocol = jsonRPC
		return nil
	}
	x.name, x.labels = match(x.service.routes(), x.r, x.protocol == restXML)
	x.find()
	return nil
}

// readAll reads a whole body of at most limit bytes.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, Errorf("RequestTimeout", http.StatusBadRequest, "The request body could not be read: %v", err)
	}
	if int64(len(body)) > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge(limit)
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return Errorf("RequestEntityTooLarge", http.StatusRequestEntityTooLarge, "The request body is larger than the limit of %d bytes.", limit)
}
