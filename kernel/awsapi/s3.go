package awsapi

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/slipway-dev/slipway/api/model"
	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// BucketOf is the bucket that a host's name begins with, empty when there is
// none: <bucket>.s3.<anything>, and <bucket>.localhost, which is what the SDKs
// make of an endpoint on this machine.
// Source: Amazon S3 user guide, Virtual hosting of buckets.
func BucketOf(host string) string {
	host = hostOf(host)
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	if at := strings.LastIndex(host, ".s3."); at >= 0 {
		return host[:at]
	}
	if at := strings.LastIndex(host, ".s3-"); at >= 0 && strings.HasSuffix(host, ".amazonaws.com") {
		return host[:at]
	}
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok && bucket != "s3" && !strings.HasPrefix(bucket, "s3.") {
		return bucket
	}
	return ""
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}

// anonymous takes a request without any signature as one to S3, the only
// service that has public resources. Whoever handles it sees a Caller without
// an ARN and decides.
func (m *Mux) anonymous(x *exchange) bool {
	s3 := m.byScope["s3"]
	if s3 == nil || !errors.Is(x.authErr, sigv4.ErrMissing) {
		return false
	}
	name, labels := match(s3.routes(), x.r, true)
	if name == "" {
		return false
	}
	x.protocol, x.service, x.name, x.labels = restXML, s3, name, labels
	x.find()
	x.unsigned = true
	return true
}

const s3Namespace = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

// unwrapped stands for an answer that is its only member, a string.
const unwrapped = ""

// roots are the elements of S3's answers where they are not named as the
// output's shape. Some clients insist on them.
var roots = map[string]string{
	"GetBucketLocation": unwrapped, "ListBuckets": "ListAllMyBucketsResult", "ListObjects": "ListBucketResult", "ListObjectsV2": "ListBucketResult",
	"ListObjectVersions": "ListVersionsResult", "ListMultipartUploads": "ListMultipartUploadsResult", "ListParts": "ListPartsResult",
	"CreateMultipartUpload": "InitiateMultipartUploadResult", "CompleteMultipartUpload": "CompleteMultipartUploadResult", "DeleteObjects": "DeleteResult",
	"GetBucketAcl": "AccessControlPolicy", "GetObjectAcl": "AccessControlPolicy", "GetBucketTagging": "Tagging", "GetObjectTagging": "Tagging",
	"GetBucketVersioning": "VersioningConfiguration", "GetBucketCors": "CORSConfiguration", "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
	"GetBucketLogging": "BucketLoggingStatus", "GetBucketWebsite": "WebsiteConfiguration", "GetBucketRequestPayment": "RequestPaymentConfiguration",
	"GetBucketAccelerateConfiguration": "AccelerateConfiguration", "GetBucketNotificationConfiguration": "NotificationConfiguration",
	"GetObjectAttributes": "GetObjectAttributesResponse",
}

func rootOf(op *model.Operation) string {
	if name, ok := roots[op.Name]; ok {
		return name
	}
	if name := op.Output.Shape.LocationName; name != "" {
		return name
	}
	if name := op.Output.LocationName; name != "" {
		return name
	}
	return op.Output.Shape.Name
}

// intact compares a body with the digests that came with it.
func intact(x *exchange) error {
	if x.protocol != restXML || x.streams() || x.service.unchecked {
		return nil
	}
	if want := x.r.Header.Get("Content-Md5"); want != "" {
		if !checksum.Valid("MD5", want) {
			return Errorf("InvalidDigest", http.StatusBadRequest, "The Content-MD5 you specified was invalid.")
		}
		if !sums("MD5", x.body, want) {
			return Errorf("BadDigest", http.StatusBadRequest, "The Content-MD5 you specified did not match what we received.")
		}
	}
	for header, values := range x.r.Header {
		name, ok := checksum.OfHeader(header)
		if !ok || x.name == "CompleteMultipartUpload" { // there it is the object's
			continue
		}
		if !checksum.Valid(name, values[0]) {
			return Errorf("InvalidRequest", http.StatusBadRequest, "Value for %s header is invalid.", strings.ToLower(header))
		}
		if !sums(name, x.body, values[0]) {
			return Errorf("BadDigest", http.StatusBadRequest, "The %s you specified did not match the calculated checksum.", name)
		}
	}
	return nil
}

func sums(name string, body []byte, want string) bool {
	h, ok := checksum.New(name)
	if !ok {
		return true
	}
	h.Write(body)
	raw, err := base64.StdEncoding.DecodeString(want)
	return err == nil && bytes.Equal(h.Sum(nil), raw)
}
