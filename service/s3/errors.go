package s3

import (
	"net/http"

	"github.com/slipway-dev/slipway/kernel/awsapi"
)

// Codes and texts: Amazon S3 API reference, Error responses, and observed.

func fault(status int, code, message string, fields ...string) *awsapi.Error {
	e := awsapi.Errorf(code, status, "%s", message)
	for i := 0; i+1 < len(fields); i += 2 {
		if e.Fields == nil {
			e.Fields = map[string]any{}
		}
		e.Fields[fields[i]] = fields[i+1]
	}
	return e
}

func errNoSuchBucket(name string) error {
	return fault(404, "NoSuchBucket", "The specified bucket does not exist", "BucketName", name)
}

func errNoSuchKey(key string) error {
	return fault(404, "NoSuchKey", "The specified key does not exist.", "Key", key)
}

func errNoSuchVersion(key, version string) error {
	return fault(404, "NoSuchVersion", "The specified version does not exist.", "Key", key, "VersionId", version)
}

func errNoSuchUpload(id string) error {
	return fault(404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", "UploadId", id)
}

func errBucketName(name string) error {
	return fault(400, "InvalidBucketName", "The specified bucket is not valid.", "BucketName", name)
}

func errOwned(name string) error {
	return fault(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.", "BucketName", name)
}

func errTaken(name string) error {
	return fault(409, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", "BucketName", name)
}

func errNotEmpty(name string) error {
	return fault(409, "BucketNotEmpty", "The bucket you tried to delete is not empty", "BucketName", name)
}

func errVersionsLeft(name string) error {
	return fault(409, "BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.", "BucketName", name)
}

func errArgument(name, value, message string) error {
	return fault(400, "InvalidArgument", message, "ArgumentName", name, "ArgumentValue", value)
}

func errRequest(message string) error { return fault(400, "InvalidRequest", message) }

func errPrecondition(condition string) error {
	return fault(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", "Condition", condition)
}

func errXML() error {
	return fault(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

// errLater answers what S3 can do and this engine cannot.
func errLater(what string) error {
	return fault(http.StatusNotImplemented, "NotImplemented", "A header or setting you provided implies functionality that is not implemented by this engine: "+what)
}

func errDenied() error { return fault(403, "AccessDenied", "Access Denied") }
