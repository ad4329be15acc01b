package ecr_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/opencontainers/go-digest"
	"github.com/slipway-dev/slipway/api/ecrapi"
)

// do sends one request of the registry protocol.
func (w *world) do(method, path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.SetBasicAuth("AWS", w.password())
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(data)
}

func (w *world) want(res *http.Response, body string, status int, text string) {
	w.t.Helper()
	if res.StatusCode != status || !strings.Contains(body, text) {
		w.t.Errorf("%s %s: %d %s, want %d %s", res.Request.Method, res.Request.URL.Path, res.StatusCode, body, status, text)
	}
}

func TestChunkedUploads(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	res, body := w.do("POST", "/v2/web/blobs/uploads/", "")
	w.want(res, body, 202, "")
	at := res.Header.Get("Location")
	res, body = w.do("PATCH", at, "hello ", "Content-Range", "0-5")
	w.want(res, body, 202, "")
	if r := res.Header.Get("Range"); r != "0-5" {
		t.Errorf("Range %q", r)
	}
	res, body = w.do("PATCH", at, "again", "Content-Range", "0-4")
	w.want(res, body, 416, "BLOB_UPLOAD_INVALID")
	if r := res.Header.Get("Range"); r != "0-5" {
		t.Errorf("after a wrong chunk: Range %q", r)
	}
	res, body = w.do("PATCH", at, "x", "Content-Range", "6-9") // not the length of the body
	w.want(res, body, 416, "BLOB_UPLOAD_INVALID")
	res, body = w.do("GET", at, "")
	w.want(res, body, 204, "")
	res, body = w.do("PATCH", at, "wide ") // without a range: goes on
	w.want(res, body, 202, "")
	d := digest.FromString("hello wide world").String()
	res, body = w.do("PUT", at+"?digest="+d, "world", "Content-Range", "11-15")
	w.want(res, body, 201, "")
	res, body = w.do("GET", "/v2/web/blobs/"+d, "", "Range", "bytes=6-9")
	w.want(res, body, 206, "wide")
	res, body = w.do("HEAD", "/v2/web/blobs/"+d, "")
	w.want(res, body, 200, "")
	if res.ContentLength != 16 || res.Header.Get("Docker-Content-Digest") != d {
		t.Errorf("%v", res.Header)
	}
	res, body = w.do("GET", at, "")
	w.want(res, body, 404, "BLOB_UPLOAD_UNKNOWN")
}

func TestUploadsThatGoWrong(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	w.create("other")
	d := digest.FromString("content").String()
	post := func() string {
		res, _ := w.do("POST", "/v2/web/blobs/uploads/", "")
		return res.Header.Get("Location")
	}
	res, body := w.do("PUT", post()+"?digest="+d, "something else")
	w.want(res, body, 400, "DIGEST_INVALID")
	res, body = w.do("PUT", post()+"?digest=md5:abc", "content")
	w.want(res, body, 400, "DIGEST_INVALID")
	at := post()
	res, body = w.do("DELETE", at, "")
	w.want(res, body, 204, "")
	res, body = w.do("PUT", at+"?digest="+d, "content")
	w.want(res, body, 404, "BLOB_UPLOAD_UNKNOWN")
	at = post()
	res, body = w.do("PATCH", strings.Replace(at, "/web/", "/other/", 1), "x")
	w.want(res, body, 404, "BLOB_UPLOAD_UNKNOWN")
	w.restart()
	res, body = w.do("PATCH", at, "x")
	w.want(res, body, 404, "BLOB_UPLOAD_UNKNOWN")
	res, body = w.do("POST", "/v2/web/blobs/uploads/?digest="+d, "content")
	w.want(res, body, 201, "")
	res, body = w.do("POST", "/v2/other/blobs/uploads/?mount="+d+"&from=web", "")
	w.want(res, body, 201, "")
	res, body = w.do("POST", "/v2/other/blobs/uploads/?mount="+digest.FromString("unknown").String()+"&from=web", "")
	w.want(res, body, 202, "")
	res, body = w.do("HEAD", "/v2/other/blobs/"+d, "")
	w.want(res, body, 200, "")
	for _, tc := range []struct {
		method, path, body string
		status             int
		text               string
	}{
		{"PUT", "/v2/web/manifests/v1", "not json", 400, "MANIFEST_INVALID"},
		{"PUT", "/v2/web/manifests/" + d, "{}", 400, "DIGEST_INVALID"},
		{"PUT", "/v2/web/manifests/bad!tag", "{}", 400, "TAG_INVALID"},
		{"PUT", "/v2/web/manifests/v1", `{"schemaVersion":2,"config":{"digest":"` + digest.FromString("unknown").String() + `"}}`, 404, "MANIFEST_BLOB_UNKNOWN"},
		{"PUT", "/v2/web/manifests/v1", strings.Repeat(" ", 5<<20), 413, "SIZE_INVALID"},
		{"GET", "/v2/web/blobs/sha256:zz", "", 400, "DIGEST_INVALID"},
		{"GET", "/v2/web/blobs/" + digest.FromString("unknown").String(), "", 404, "BLOB_UNKNOWN"},
		{"DELETE", "/v2/web/blobs/" + d, "", 405, "UNSUPPORTED"},
		{"POST", "/v2/web/manifests/v1", "", 405, "UNSUPPORTED"},
		{"GET", "/v2/web/tags/other", "", 404, ""},
		{"GET", "/v2/web", "", 404, ""},
		{"GET", "/v2/Web/tags/list", "", 400, "NAME_INVALID"},
		{"GET", "/v2/web/tags/list?n=x", "", 400, "PAGINATION"},
		{"GET", "/v2/%2e%2e/%2e%2e/blobs/" + d, "", 400, ""},
	} {
		res, body := w.do(tc.method, tc.path, tc.body)
		w.want(res, body, tc.status, tc.text)
	}
}

func TestTagsArePaged(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	img := image(t)
	for _, tag := range []string{"c", "a", "b"} {
		if err := crane.Push(img, w.host+"/web:"+tag, w.auth()); err != nil {
			t.Fatal(err)
		}
	}
	res, body := w.do("GET", "/v2/web/tags/list?n=2", "")
	w.want(res, body, 200, `["a","b"]`)
	if l := res.Header.Get("Link"); l != `</v2/web/tags/list?last=b&n=2>; rel="next"` {
		t.Errorf("Link %q", l)
	}
	res, body = w.do("GET", "/v2/web/tags/list?n=2&last=b", "")
	w.want(res, body, 200, `["c"]`)
}

func TestLayersThroughTheAPI(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	repo, data := new("web"), bytes.Repeat([]byte("layer"), 100)
	d := digest.FromBytes(data).String()
	up, err := w.s.InitiateLayerUpload(w.ctx, &ecrapi.InitiateLayerUploadInput{RepositoryName: repo})
	if err != nil {
		t.Fatal(err)
	}
	part := func(from, to int64) error {
		_, err := w.s.UploadLayerPart(w.ctx, &ecrapi.UploadLayerPartInput{
			RepositoryName: repo, UploadId: up.UploadId, PartFirstByte: new(from), PartLastByte: new(to - 1), LayerPartBlob: data[from:to],
		})
		return err
	}
	complete := func() error {
		_, err := w.s.CompleteLayerUpload(w.ctx, &ecrapi.CompleteLayerUploadInput{RepositoryName: repo, UploadId: up.UploadId, LayerDigests: []string{d}})
		return err
	}
	if err := complete(); code(err) != "EmptyUploadException" {
		t.Error(err)
	}
	if err := part(0, 300); err != nil {
		t.Error(err)
	}
	if err := part(0, 300); code(err) != "InvalidLayerPartException" {
		t.Error(err)
	}
	if err := part(300, 500); err != nil {
		t.Error(err)
	}
	if err := complete(); err != nil {
		t.Error(err)
	}
	if err := complete(); code(err) != "UploadNotFoundException" {
		t.Error(err)
	}
	got, err := w.s.BatchCheckLayerAvailability(w.ctx, &ecrapi.BatchCheckLayerAvailabilityInput{
		RepositoryName: repo, LayerDigests: []string{d, digest.FromString("x").String(), "bad"},
	})
	if err != nil || len(got.Layers) != 2 || got.Layers[0].LayerAvailability != "AVAILABLE" || *got.Layers[0].LayerSize != 500 ||
		got.Layers[1].LayerAvailability != "UNAVAILABLE" || len(got.Failures) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	url, err := w.s.GetDownloadUrlForLayer(w.ctx, &ecrapi.GetDownloadUrlForLayerInput{RepositoryName: repo, LayerDigest: &d})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(*url.DownloadUrl) // no credentials
	if err != nil || res.StatusCode != http.StatusOK || res.ContentLength != 500 {
		t.Errorf("%v %v", res, err)
	}
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + d + `","size":500},"layers":[]}`
	put := func(m, tag string) (*ecrapi.PutImageOutput, error) {
		return w.s.PutImage(w.ctx, &ecrapi.PutImageInput{RepositoryName: repo, ImageManifest: &m, ImageTag: &tag})
	}
	img, err := put(manifest, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put(manifest, "v1"); code(err) != "ImageAlreadyExistsException" {
		t.Error(err)
	}
	if _, err := put(strings.ReplaceAll(manifest, d, digest.FromString("x").String()), "v2"); code(err) != "LayersNotFoundException" {
		t.Error(err)
	}
	b, err := w.s.BatchGetImage(w.ctx, &ecrapi.BatchGetImageInput{RepositoryName: repo, ImageIds: []ecrapi.ImageIdentifier{{ImageTag: new("v1")}, {ImageTag: new("no")}}})
	if err != nil || len(b.Images) != 1 || *b.Images[0].ImageManifest != manifest || len(b.Failures) != 1 ||
		*b.Images[0].ImageId.ImageDigest != *img.Image.ImageId.ImageDigest {
		t.Errorf("%+v %v", b, err)
	}
}

// Pushes and garbage collections run side by side; every acknowledged image
// can be pulled whole. The clock is put forward all the time, so that every
// layer without an image is old.
func TestGarbageCollectionIsSafeBesidePushes(t *testing.T) {
	w := newWorld(t)
	w.create("web")
	auth := w.auth()
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := w.s.Collect(); err != nil {
				t.Error(err)
			}
		}
	})
	img := image(t)
	for range 15 {
		if err := crane.Push(img, w.host+"/web:v", auth); err != nil {
			t.Error(err)
		}
		got, err := crane.Pull(w.host+"/web:v", auth)
		if err == nil {
			err = crane.Save(got, "v", t.TempDir()+"/x")
		}
		if err != nil {
			t.Error(err)
		}
		w.later(10 * time.Minute) // a token lasts 12 hours
		out, err := w.s.BatchDeleteImage(w.ctx, &ecrapi.BatchDeleteImageInput{RepositoryName: new("web"), ImageIds: []ecrapi.ImageIdentifier{{ImageTag: new("v")}}})
		if err != nil || len(out.ImageIds) != 1 {
			t.Errorf("%+v %v", out, err)
		}
	}
	close(stop)
	collector.Wait()
	w.later(2 * time.Hour)
	if err := w.s.Collect(); err != nil {
		t.Error(err)
	}
	res, body := w.do("HEAD", "/v2/web/blobs/"+layerOf(t, img), "")
	w.want(res, body, 404, "")
}
