package ecr

import (
	"time"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/store"
)

// Repositories are keyed by scope and name.
var Repositories = store.NewTable("ecr/repository", func(r Repository) string { return r.Scope.Key(r.Name) })

// Images are keyed by scope and name@digest.
var Images = store.NewTable("ecr/image", func(i Image) string { return i.Scope.Key(i.Repository + "@" + i.Digest) },
	store.Index("digest", func(i Image) []string { return []string{i.Digest} }),
	store.Index("uses", func(i Image) []string {
		var out []string
		for _, d := range i.Blobs {
			out = append(out, i.Scope.Key(i.Repository+"@"+d))
		}
		for _, d := range i.Children {
			out = append(out, i.Scope.Key(i.Repository+"@"+d))
		}
		return out
	}),
	store.Index("subject", func(i Image) []string {
		if i.Subject == "" {
			return nil
		}
		return []string{i.Scope.Key(i.Repository + "@" + i.Subject)}
	}),
)

// Tags are keyed by scope and name:tag. A push of a tag is a change of its
// row: watch this table to learn of new images.
var Tags = store.NewTable("ecr/tag", func(t Tag) string { return t.Scope.Key(t.Repository + ":" + t.Tag) },
	store.Index("digest", func(t Tag) []string { return []string{t.Scope.Key(t.Repository + "@" + t.Digest)} }),
)

// Layers say which blobs a repository has, keyed by scope and name@digest.
var Layers = store.NewTable("ecr/layer", func(l Layer) string { return l.Scope.Key(l.Repository + "@" + l.Digest) },
	store.Index("digest", func(l Layer) []string { return []string{l.Digest} }),
)

// Tables are the tables of ECR.
func Tables() []store.Schema { return []store.Schema{Repositories, Images, Tags, Layers} }

// Repository is a repository and its settings.
type Repository struct {
	Scope      arn.Scope
	Name       string
	CreatedAt  time.Time
	Mutability string   // MUTABLE, IMMUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION
	Exclusions []string // tag patterns with * that the mutability does not apply to
	ScanOnPush bool
	Encryption string // AES256, KMS, KMS_DSSE
	KMSKey     string
	Policy     string // repository policy document, or empty
	Lifecycle  string // lifecycle policy document, or empty
	// LifecycleAt is when the lifecycle policy was last applied.
	LifecycleAt time.Time
	Tags        map[string]string
}

// ARN of the repository.
func (r Repository) ARN() string { return r.Scope.ARN("ecr", "repository/"+r.Name) }

// Image is a manifest in a repository; its bytes are the blob Digest.
type Image struct {
	Scope        arn.Scope
	Repository   string
	Digest       string
	MediaType    string
	ArtifactType string
	Size         int64 // config and layers, bytes
	Length       int64 // of the manifest, bytes
	PushedAt     time.Time
	PulledAt     time.Time // zero: never; else right to a day
	Blobs        []string  // config and layers
	Children     []string  // images of an index
	Subject      string
	Annotations  map[string]string
}

// Tag is a name of an image.
type Tag struct {
	Scope      arn.Scope
	Repository string
	Tag        string
	Digest     string
	PushedAt   time.Time
}

// Layer is a blob that a repository has.
type Layer struct {
	Scope      arn.Scope
	Repository string
	Digest     string
	Size       int64
	// LinkedAt is when it was uploaded or last asked for; a layer that no
	// image uses is dropped some time after.
	LinkedAt time.Time
}

// Digest looks up which image a tag names.
func Digest(r store.Reader, scope arn.Scope, repository, tag string) (digest string, ok bool) {
	t, err := Tags.Get(r, scope.Key(repository+":"+tag))
	return t.Digest, err == nil
}

// tagsOf lists the tags of an image, sorted.
func tagsOf(r store.Reader, i Image) []string {
	var out []string
	for t := range Tags.By(r, "digest", Images.Key(i)) {
		out = append(out, t.Tag)
	}
	return out
}
