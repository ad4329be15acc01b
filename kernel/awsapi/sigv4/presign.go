package sigv4

import (
	"net/http"
	"strconv"
	"time"
)

// Presign puts a signature into the request's query that holds until expires
// has passed. Only the host header is signed, and no body.
func Presign(r *http.Request, k Key, service, region string, now time.Time, expires time.Duration) {
	a := Auth{
		AccessKey: k.AccessKey, Date: now.UTC().Format(shortDate), Region: region, Service: service,
		Time: now, SignedHeaders: []string{"host"}, Presigned: true, Expires: expires,
	}
	q := r.URL.Query()
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", a.AccessKey+"/"+a.scope())
	q.Set("X-Amz-Date", now.UTC().Format(longDate))
	q.Set("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	q.Set("X-Amz-SignedHeaders", "host")
	if k.SessionToken != "" {
		q.Set("X-Amz-Security-Token", k.SessionToken)
	}
	r.URL.RawQuery = q.Encode()
	hash := emptyHash
	if service == "s3" {
		hash = Unsigned
	}
	q.Set("X-Amz-Signature", a.sign(r, k.Secret, hash))
	r.URL.RawQuery = q.Encode()
}
