package s3

import (
	"crypto/md5" //nolint:gosec // an ETag is one
	"encoding/hex"
	"strings"
	"testing"
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
)

func TestAnObjectComesBackAsItWasPut(t *testing.T) {
	w := newWorld(t)
	w.bucket("shop-data")
	data := strings.Repeat("0123456789abcdef", 20_000) // five segments on disk
	sum := md5.Sum([]byte(data))                       //nolint:gosec // an ETag is one
	in := putInput("shop-data", "a/b c+d/ü&<>.txt", data)
	in.ContentType, in.ContentEncoding, in.CacheControl, in.ContentDisposition = new("text/plain"), new("br"), new("no-cache"), new(`attachment; filename="x"`)
	in.Metadata = map[string]string{"team": "payments", "empty": ""}
	put := call[api.PutObjectOutput](w.person, "PutObject", in, "")
	if want := `"` + hex.EncodeToString(sum[:]) + `"`; *put.ETag != want || put.ServerSideEncryption != "AES256" || put.ChecksumCRC64NVME == nil || put.VersionId != nil {
		t.Errorf("%+v, want ETag %s", put, want)
	}
	got, text := w.get(&api.GetObjectInput{Bucket: in.Bucket, Key: in.Key, ChecksumMode: "ENABLED"}, "")
	if text != data || *got.ContentType != "text/plain" || *got.ContentEncoding != "br" || *got.CacheControl != "no-cache" || got.Metadata["team"] != "payments" ||
		*got.ContentLength != int64(len(data)) || *got.ETag != *put.ETag || *got.ChecksumCRC64NVME != *put.ChecksumCRC64NVME || time.Since(*got.LastModified) > time.Minute {
		t.Errorf("%d bytes, %+v", len(text), got)
	}
	for _, c := range []struct{ header, want, text string }{
		{"bytes=0-4", "bytes 0-4/320000", data[:5]},
		{"bytes=65530-65545", "bytes 65530-65545/320000", data[65530:65546]},
		{"bytes=319990-", "bytes 319990-319999/320000", data[319990:]},
		{"bytes=-3", "bytes 319997-319999/320000", data[319997:]},
		{"bytes=5-9999999", "bytes 5-319999/320000", data[5:]},
		{"bytes=9-4", "", data},
		{"lines=1-2", "", data},
	} {
		got, text := w.get(&api.GetObjectInput{Bucket: in.Bucket, Key: in.Key, Range: &c.header}, "")
		if val(got.ContentRange) != c.want || text != c.text {
			t.Errorf("%s: %s, %d bytes", c.header, val(got.ContentRange), len(text))
		}
	}
	w.get(&api.GetObjectInput{Bucket: in.Bucket, Key: in.Key, Range: new("bytes=320000-")}, "InvalidRange")
	w.get(&api.GetObjectInput{Bucket: in.Bucket, Key: new("none")}, "NoSuchKey")
	w.get(&api.GetObjectInput{Bucket: new("none-at-all"), Key: new("none")}, "NoSuchBucket")
}

func TestAnObjectIsReplacedAndRemovedWithItsBytes(t *testing.T) {
	w := newWorld(t)
	w.bucket("shop-data")
	w.put("shop-data", "k", "one")
	w.put("shop-data", "k", "two")
	if got := w.read("shop-data", "k"); got != "two" || w.files() != 1 {
		t.Errorf("%s, %d files", got, w.files())
	}
	call[api.DeleteBucketOutput](w.person, "DeleteBucket", &api.DeleteBucketInput{Bucket: new("shop-data")}, "BucketNotEmpty")
	call[api.DeleteObjectOutput](w.person, "DeleteObject", &api.DeleteObjectInput{Bucket: new("shop-data"), Key: new("k")}, "")
	call[api.DeleteObjectOutput](w.person, "DeleteObject", &api.DeleteObjectInput{Bucket: new("shop-data"), Key: new("k")}, "")
	if w.files() != 0 {
		t.Errorf("%d files are left", w.files())
	}
	call[api.DeleteBucketOutput](w.person, "DeleteBucket", &api.DeleteBucketInput{Bucket: new("shop-data")}, "")
	call[api.HeadBucketOutput](w.person, "HeadBucket", &api.HeadBucketInput{Bucket: new("shop-data")}, "Not Found")
}

func TestObjectsSurviveARestartAndGarbageDoesNot(t *testing.T) {
	w := newWorld(t)
	w.bucket("shop-data")
	w.put("shop-data", "k", "kept")
	lost, err := w.s3.blobs.Create() // a put that was cut off before its row
	if err != nil {
		t.Fatal(err)
	}
	if err := lost.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.open()
	if w.files() != 1 {
		t.Errorf("%d files", w.files())
	}
	out, err := w.s3.GetObject(t.Context(), &api.GetObjectInput{Bucket: new("shop-data"), Key: new("k")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
}
