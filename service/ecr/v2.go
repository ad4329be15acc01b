package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/service/ecr/registry"
)

// Handler serves the OCI distribution protocol below /v2/, as the OCI
// Distribution Specification 1.1 has it and with ECR's errors. Every request
// needs Basic credentials: user AWS, an authorization token as password.
func (s *Service) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		if err := s.serve(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// internal marks requests of this process, which need no credentials.
type internal struct{}

// call is one request about one repository.
type call struct {
	*Service
	w     http.ResponseWriter
	r     *http.Request
	scope arn.Scope
	name  string // of the repository
	path  string // "/v2/" and the name as the client wrote it
	last  string // the rest: a digest, a tag, an upload id
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) error {
	account, err := s.authorize(r)
	if err != nil {
		return err
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	switch {
	case rest == "" && (ok || r.URL.Path == "/v2"):
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write([]byte("{}"))
		return err
	case rest == "_catalog":
		return s.catalog(w, r, account)
	}
	c := &call{Service: s, w: w, r: r}
	handle := c.route(rest)
	if !ok || handle == nil {
		return errV2{http.StatusNotFound, "NAME_INVALID", "there is nothing at " + r.URL.Path}
	}
	if !validName.MatchString(c.name) {
		return errV2{http.StatusBadRequest, "NAME_INVALID", "invalid repository name '" + c.name + "'"}
	}
	if account != "" && account != c.scope.Account {
		return errV2{
			http.StatusForbidden, "DENIED",
			"User: arn:aws:iam::" + account + ":root is not authorized to access resource: " + c.scope.ARN("ecr", "repository/"+c.name) +
				" because no resource-based policy allows it",
		}
	}
	if _, err := find(s.store.Snapshot(), c.scope, c.name); err != nil {
		return err
	}
	return handle()
}

// route reads the path and picks the handler; nil when there is none.
func (c *call) route(rest string) func() error {
	for _, to := range []struct {
		mark    string
		handle  func() error
		methods string
	}{
		{"/blobs/uploads/", c.upload, "GET POST PATCH PUT DELETE"},
		{"/blobs/", c.blob, "GET HEAD DELETE"},
		{"/manifests/", c.manifests, "GET HEAD PUT DELETE"},
		{"/tags/", c.tags, "GET"},
		{"/referrers/", c.referrers, "GET"},
	} {
		i := strings.LastIndex(rest, to.mark)
		if i < 0 && to.mark == "/blobs/uploads/" && strings.HasSuffix(rest, "/blobs/uploads") {
			rest += "/"
			i = strings.LastIndex(rest, to.mark)
		}
		if i < 0 || strings.Contains(rest[i+len(to.mark):], "/") {
			continue
		}
		c.last = rest[i+len(to.mark):]
		c.path = "/v2/" + rest[:i]
		c.scope, c.name = c.repository(c.r.Host, rest[:i])
		if !strings.Contains(" "+to.methods+" ", " "+c.r.Method+" ") {
			c.w.Header().Set("Allow", strings.ReplaceAll(to.methods, " ", ", "))
			return func() error {
				return errV2{http.StatusMethodNotAllowed, "UNSUPPORTED", "the operation is unsupported"}
			}
		}
		return to.handle
	}
	return nil
}

// authorize returns the account of the token, or "" for what acts for every
// account: requests of this process, and all of them with AnyAuth.
func (s *Service) authorize(r *http.Request) (account string, err error) {
	if s.open || r.Context().Value(internal{}) != nil {
		return "", nil
	}
	if token := r.URL.Query().Get("token"); token != "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		c, err := s.verify(token)
		if err == nil && c.Path == r.URL.Path {
			return c.Account, nil
		}
	}
	user, password, ok := r.BasicAuth()
	if !ok || user != "AWS" {
		return "", errUnauthorized
	}
	c, err := s.verify(password)
	if errors.Is(err, errTokenExpired) {
		return "", errV2{http.StatusForbidden, "DENIED", errTokenExpired.Error()}
	}
	if err != nil || c.Path != "" {
		return "", errUnauthorized
	}
	return c.Account, nil
}

var errUnauthorized = errors.New("Not Authorized") //nolint:staticcheck // AWS's words

// errV2 is an error of the registry protocol.
type errV2 struct {
	status  int
	code    string
	message string
}

func (e errV2) Error() string { return e.code + ": " + e.message }

// translations say how API errors look to registry clients.
var translations = map[string]struct {
	status int
	code   string
}{
	"RepositoryNotFoundException":       {http.StatusNotFound, "NAME_UNKNOWN"},
	"ImageNotFoundException":            {http.StatusNotFound, "MANIFEST_UNKNOWN"},
	"ImageTagAlreadyExistsException":    {http.StatusBadRequest, "TAG_INVALID"},
	"LayersNotFoundException":           {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"ReferencedImagesNotFoundException": {http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"},
	"InvalidParameterException":         {http.StatusBadRequest, "MANIFEST_INVALID"},
}

// fail writes an error as the protocol has it.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errUnauthorized) {
		w.Header().Set("Www-Authenticate", `Basic realm="http://`+s.host+`/",service="ecr.amazonaws.com"`)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	out := errV2{http.StatusInternalServerError, "UNKNOWN", err.Error()}
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		if t, ok := translations[e.Code]; ok {
			out = errV2{t.status, t.code, e.Message}
		}
	}
	if e, ok := errors.AsType[errV2](err); ok {
		out = e
	}
	switch {
	case errors.Is(err, registry.ErrBlobUnknown):
		out = errV2{http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry"}
	case errors.Is(err, registry.ErrUploadUnknown):
		out = errV2{http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"}
	case errors.Is(err, registry.ErrDigest):
		out = errV2{http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content"}
	case errors.Is(err, registry.ErrBusy):
		out = errV2{http.StatusConflict, "BLOB_UPLOAD_INVALID", err.Error()}
	}
	if out.status >= 500 && !errors.Is(err, context.Canceled) {
		s.log.Error("registry request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	body, _ := json.Marshal(map[string]any{"errors": []map[string]string{{"code": out.code, "message": out.message}}})
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(out.status)
	_, _ = w.Write(body)
}

func errBadDigest(d string) error {
	return errV2{http.StatusBadRequest, "DIGEST_INVALID", "invalid digest '" + d + "'"}
}
