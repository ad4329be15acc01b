package s3

import (
	"time"

	api "github.com/slipway-dev/slipway/api/s3api"
	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Buckets are keyed by the scope they are in and their name, which no other
// bucket of any scope has.
var Buckets = store.NewTable("s3/bucket", func(b Bucket) string { return b.Scope.Key(b.Name) },
	store.Index("name", func(b Bucket) []string { return []string{b.Name} }),
)

// Objects are the versions of objects: by bucket, by key, the newest first.
var Objects = store.NewTable("s3/object", func(o Object) string { return versionKey(o.Scope, o.Bucket, o.Key, o.Seq) },
	store.Index("blob", func(o Object) []string { return blobsOf(o.Pieces) }),
)

// Uploads are uploads in parts that are under way.
var Uploads = store.NewTable("s3/upload", func(u Upload) string { return uploadKey(u.Scope, u.Bucket, u.Key, u.ID) },
	store.Index("id", func(u Upload) []string { return []string{u.ID} }),
)

// Parts are the parts of uploads.
var Parts = store.NewTable("s3/part", func(p Part) string { return partKey(p.Scope, p.Upload, p.Number) },
	store.Index("blob", func(p Part) []string {
		if p.Blob == "" {
			return nil
		}
		return []string{p.Blob}
	}),
)

// Tables are the tables of this service.
func Tables() []store.Schema { return []store.Schema{Buckets, Objects, Uploads, Parts} }

// Bucket is a bucket and its settings; nil and empty settings were never made.
type Bucket struct {
	Scope        arn.Scope
	Name         string
	Created      time.Time
	Versioning   string // "", Enabled, Suspended
	Tags         map[string]string
	Policy       string
	ACL          string // canned
	Ownership    string // BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter, or "" when removed
	PublicAccess *PublicAccess
	Encryption   Encryption // what objects get that ask for none
	CORS         []api.CORSRule
	Lifecycle    []api.LifecycleRule
	// LifecycleMinimum is TransitionDefaultMinimumObjectSize as it was put.
	LifecycleMinimum string
}

// ARN is arn:aws:s3:::<name>.
func (b Bucket) ARN() string { return arn.Scope{}.GlobalARN("s3", b.Name) }

// PublicAccess is the block on public access.
type PublicAccess struct {
	BlockACLs, IgnoreACLs, BlockPolicy, Restrict bool
}

// Encryption says how S3 encrypts on its side.
type Encryption struct {
	Algorithm string // AES256, aws:kms, aws:kms:dsse
	Key       string `json:",omitempty"` // of KMS, as it was given; empty is AWS's own
	BucketKey bool   `json:",omitempty"`
}

// Object is a version of an object, or a marker that it was deleted.
type Object struct {
	Scope    arn.Scope // of the bucket
	Bucket   string
	Key      string
	Seq      uint64 // grows with every version of a key
	Version  string // "null" where versioning was off
	Marker   bool   `json:",omitempty"`
	Modified time.Time
	Size     int64
	ETag     string `json:",omitempty"` // without quotes
	// Pieces are the blobs that hold the contents, in order.
	Pieces []Piece `json:",omitempty"`
	// Parted says that the pieces are the parts of an upload.
	Parted     bool     `json:",omitempty"`
	Checksum   Checksum `json:",omitzero"`
	Headers    Headers  `json:",omitzero"`
	Encryption Encryption
	Tags       map[string]string `json:",omitempty"`
	ACL        string            `json:",omitempty"` // canned
}

// Piece is a blob, or a range of one.
type Piece struct {
	Blob     string
	BlobSize int64 // of the whole blob, in bytes
	From     int64 `json:",omitempty"`
	Size     int64
	Number   int32    `json:",omitempty"` // of the part
	Checksum Checksum `json:",omitzero"`
}

// Checksum is a checksum with its algorithm.
type Checksum struct {
	Algorithm string // CRC32, SHA256, ...
	Value     string `json:",omitempty"` // base64, of a composite one with "-<parts>"
	Type      string `json:",omitempty"` // FULL_OBJECT, COMPOSITE
}

// Headers are what is given back with an object as it came.
type Headers struct {
	ContentType        string            `json:",omitempty"`
	ContentEncoding    string            `json:",omitempty"`
	ContentDisposition string            `json:",omitempty"`
	ContentLanguage    string            `json:",omitempty"`
	CacheControl       string            `json:",omitempty"`
	Expires            string            `json:",omitempty"`
	Redirect           string            `json:",omitempty"`
	StorageClass       string            `json:",omitempty"` // empty: STANDARD
	Metadata           map[string]string `json:",omitempty"`
}

// Upload is an upload in parts: all of the object to be, but its contents.
type Upload struct {
	Scope      arn.Scope
	Bucket     string
	Key        string
	ID         string
	Started    time.Time
	Initiator  string   // ARN
	Checksum   Checksum // its value is empty; no algorithm: the client named none
	Headers    Headers
	Encryption Encryption
	Tags       map[string]string
	ACL        string
}

// Part is one part of an upload.
type Part struct {
	Scope    arn.Scope
	Bucket   string
	Upload   string
	Number   int32
	Modified time.Time
	ETag     string
	Blob     string // empty when the part is
	Size     int64
	Checksum Checksum
}

func blobsOf(pieces []Piece) []string {
	var ids []string
	for _, p := range pieces {
		if p.Blob != "" { // a part may be empty
			ids = append(ids, p.Blob)
		}
	}
	return ids
}
