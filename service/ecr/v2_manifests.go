package ecr

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/slipway-dev/slipway/api/ecrapi"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/service/ecr/registry"
)

var validTag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// reference is what stands behind /manifests/: a digest or a tag.
func (c *call) reference() (dgst, tag *string, err error) {
	if strings.Contains(c.last, ":") {
		if _, err := registry.ParseDigest(c.last); err != nil {
			return nil, nil, errBadDigest(c.last)
		}
		return &c.last, nil, nil
	}
	if !validTag.MatchString(c.last) {
		return nil, nil, errV2{http.StatusBadRequest, "TAG_INVALID", "invalid tag '" + c.last + "'"}
	}
	return nil, &c.last, nil
}

func (c *call) manifests() error {
	dgst, tag, err := c.reference()
	if err != nil {
		return err
	}
	if c.r.Method == http.MethodPut {
		return c.putManifest(dgst, tag)
	}
	snap := c.store.Snapshot()
	repo, err := find(snap, c.scope, c.name)
	if err != nil {
		return err
	}
	img, err := resolve(snap, repo, dgst, tag)
	if err != nil {
		return errV2{http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found"}
	}
	if c.r.Method == http.MethodDelete {
		return c.deleteManifest(dgst, tag)
	}
	h := c.w.Header()
	h.Set("Content-Type", img.MediaType)
	h.Set("Content-Length", strconv.FormatInt(img.Length, 10))
	h.Set("Docker-Content-Digest", img.Digest)
	if c.r.Method == http.MethodHead {
		return nil
	}
	data, err := c.manifest(img)
	if err != nil {
		h.Del("Content-Length")
		return err
	}
	c.pulled(img)
	_, _ = c.w.Write(data)
	return nil
}

func (c *call) putManifest(dgst, tag *string) error {
	data, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, registry.MaxManifest))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errV2{http.StatusRequestEntityTooLarge, "SIZE_INVALID", "the manifest is larger than 4 MiB"}
	}
	if err != nil {
		return errV2{http.StatusBadRequest, "SIZE_INVALID", "the body ended before its length"}
	}
	if dgst != nil && *dgst != string(digest.FromBytes(data)) {
		return registry.ErrDigest
	}
	mediaType, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	img, err := c.put(push{scope: c.scope, name: c.name, tag: val(tag), data: data, mediaType: strings.TrimSpace(mediaType)})
	if err != nil {
		return err
	}
	if img.Subject != "" {
		c.w.Header().Set("Oci-Subject", img.Subject)
	}
	c.created("/manifests/", img.Digest)
	return nil
}

func (c *call) deleteManifest(dgst, tag *string) error {
	err := c.store.Update(func(tx *store.Tx) error {
		repo, err := find(tx, c.scope, c.name)
		if err != nil {
			return err
		}
		if _, f := remove(tx, repo, ecrapi.ImageIdentifier{ImageDigest: dgst, ImageTag: tag}); f != nil {
			if f.FailureCode == ecrapi.ImageFailureCodeImageNotFound {
				return errV2{http.StatusNotFound, "MANIFEST_UNKNOWN", val(f.FailureReason)}
			}
			return errV2{http.StatusConflict, "DENIED", val(f.FailureReason)}
		}
		return nil
	})
	if err == nil {
		c.w.WriteHeader(http.StatusAccepted)
	}
	return err
}

// tags lists tags in order, n a page.
func (c *call) tags() error {
	if c.last != "list" {
		return errV2{http.StatusNotFound, "NAME_INVALID", "there is nothing at " + c.r.URL.Path}
	}
	var names []string
	for t := range Tags.List(c.store.Snapshot(), c.scope.Key(c.name+":")) {
		names = append(names, t.Tag)
	}
	page, err := cut(c.w, c.r, names)
	if err != nil {
		return err
	}
	return writeJSON(c.w, "application/json", map[string]any{"name": strings.TrimPrefix(c.path, "/v2/"), "tags": page})
}

// catalog lists the repositories of the account's default region.
func (s *Service) catalog(w http.ResponseWriter, r *http.Request, account string) error {
	scope := s.scope
	if account != "" {
		scope.Account = account
	}
	var names []string
	for repo := range Repositories.List(s.store.Snapshot(), scope.Key("")) {
		names = append(names, s.path(scope, repo.Name))
	}
	page, err := cut(w, r, names)
	if err != nil {
		return err
	}
	return writeJSON(w, "application/json", map[string]any{"repositories": page})
}

// maxPage is the longest list answered at once.
const maxPage = 1000

// cut takes the page that n and last ask for, and links the next one.
func cut(w http.ResponseWriter, r *http.Request, names []string) ([]string, error) {
	q := r.URL.Query()
	n := maxPage
	if text := q.Get("n"); text != "" {
		asked, err := strconv.Atoi(text)
		if err != nil || asked < 0 {
			return nil, errV2{http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "invalid number of results requested"}
		}
		n = min(asked, maxPage)
	}
	if last := q.Get("last"); last != "" {
		i, found := slices.BinarySearch(names, last)
		if found {
			i++
		}
		names = names[i:]
	}
	if len(names) > n {
		names = names[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {names[n-1]}}
			w.Header().Set("Link", "<"+r.URL.Path+"?"+next.Encode()+`>; rel="next"`)
		}
	}
	return append([]string{}, names...), nil
}

// referrers lists the images that name one as their subject, as an index.
func (c *call) referrers() error {
	d, err := registry.ParseDigest(c.last)
	if err != nil {
		return errBadDigest(c.last)
	}
	out := v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}}
	out.SchemaVersion = 2
	want := c.r.URL.Query().Get("artifactType")
	if want != "" {
		c.w.Header().Set("Oci-Filters-Applied", "artifactType")
	}
	for img := range Images.By(c.store.Snapshot(), "subject", c.scope.Key(c.name+"@"+string(d))) {
		if want == "" || want == img.ArtifactType {
			out.Manifests = append(out.Manifests, v1.Descriptor{
				MediaType: img.MediaType, ArtifactType: img.ArtifactType, Digest: digest.Digest(img.Digest),
				Size: img.Length, Annotations: img.Annotations,
			})
		}
	}
	return writeJSON(c.w, v1.MediaTypeImageIndex, out)
}

func writeJSON(w http.ResponseWriter, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	_, _ = w.Write(body)
	return nil
}
