package ecr_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr"
)

// FuzzRegistry sends any request to the registry: it is answered, and never
// as an error of the server.
func FuzzRegistry(f *testing.F) {
	db, err := store.Open(store.Config{}, ecr.Tables()...)
	if err != nil {
		f.Fatal(err)
	}
	s, err := ecr.New(ecr.Config{Store: db, Dir: f.TempDir(), DefaultScope: scope, AnyAuth: true})
	if err != nil {
		f.Fatal(err)
	}
	if err := db.Update(func(tx *store.Tx) error {
		return ecr.Repositories.Create(tx, ecr.Repository{Scope: scope, Name: "web"})
	}); err != nil {
		f.Fatal(err)
	}
	h := s.Handler()
	f.Add("POST", "/v2/web/blobs/uploads/?mount=sha256:00&from=web", "", "")
	f.Add("PATCH", "/v2/web/blobs/uploads/x", "0-3", "body")
	f.Add("PUT", "/v2/web/manifests/v1", "", `{"schemaVersion":2,"manifests":[]}`)
	f.Add("GET", "/v2/web/tags/list?n=1&last=a", "", "")
	f.Add("GET", "/v2/web/referrers/sha256:00?artifactType=x", "", "")
	f.Add("GET", "/v2/_catalog", "", "")
	f.Fuzz(func(t *testing.T, method, target, contentRange, body string) {
		u, err := url.Parse(target)
		if err != nil || !strings.HasPrefix(u.Path, "/v2") {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("Content-Range", contentRange)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
	})
}
