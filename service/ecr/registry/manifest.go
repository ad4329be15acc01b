package registry

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Docker's media types, which are older than the OCI's and mean the same.
const (
	DockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	DockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// MaxManifest is the largest manifest taken, as the distribution
// specification asks for.
const MaxManifest = 4 << 20

// Manifest is what the registry needs to know of an image manifest or index.
type Manifest struct {
	Digest    digest.Digest
	MediaType string
	// ArtifactType is the manifest's, or its config's media type when it is no
	// image configuration.
	ArtifactType string
	Config       digest.Digest   // empty for an index
	Layers       []v1.Descriptor // without config
	Children     []digest.Digest // manifests of an index
	Subject      digest.Digest   // what this one refers to, or empty
	Annotations  map[string]string
	// Size is the sum of the config and the layers in bytes, 0 for an index.
	Size int64
}

// Blobs are the blobs the manifest needs in its repository: the config and
// the layers that are not fetched from elsewhere.
func (m Manifest) Blobs() []digest.Digest {
	var out []digest.Digest
	if m.Config != "" {
		out = append(out, m.Config)
	}
	for _, l := range m.Layers {
		if len(l.URLs) == 0 {
			out = append(out, l.Digest)
		}
	}
	return out
}

// IsIndex reports whether a media type is that of an index.
func IsIndex(mediaType string) bool {
	return mediaType == v1.MediaTypeImageIndex || mediaType == DockerList
}

// ParseManifest reads a manifest. mediaType is what the client said, or empty.
func ParseManifest(data []byte, mediaType string) (Manifest, error) {
	var doc struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		ArtifactType  string            `json:"artifactType"`
		Config        *v1.Descriptor    `json:"config"`
		Layers        []v1.Descriptor   `json:"layers"`
		Manifests     []v1.Descriptor   `json:"manifests"`
		Subject       *v1.Descriptor    `json:"subject"`
		Annotations   map[string]string `json:"annotations"`
	}
	m := Manifest{Digest: digest.FromBytes(data)}
	if err := json.Unmarshal(data, &doc); err != nil {
		return m, fmt.Errorf("manifest is not valid JSON: %w", err)
	}
	if doc.SchemaVersion != 2 {
		return m, fmt.Errorf("manifest has schema version %d; only version 2 is taken", doc.SchemaVersion)
	}
	m.MediaType = doc.MediaType
	switch {
	case m.MediaType == "":
		m.MediaType = mediaType
	case mediaType != "" && mediaType != m.MediaType:
		return m, fmt.Errorf("manifest is %s but was sent as %s", m.MediaType, mediaType)
	}
	if m.MediaType == "" {
		m.MediaType = v1.MediaTypeImageManifest
		if doc.Manifests != nil {
			m.MediaType = v1.MediaTypeImageIndex
		}
	}
	m.ArtifactType, m.Annotations = doc.ArtifactType, doc.Annotations
	if doc.Subject != nil {
		if _, err := ParseDigest(string(doc.Subject.Digest)); err != nil {
			return m, fmt.Errorf("subject: %w", err)
		}
		m.Subject = doc.Subject.Digest
	}
	switch m.MediaType {
	case v1.MediaTypeImageIndex, DockerList:
		if doc.Config != nil || doc.Layers != nil {
			return m, fmt.Errorf("an index has no config and no layers")
		}
		for i, c := range doc.Manifests {
			if _, err := ParseDigest(string(c.Digest)); err != nil {
				return m, fmt.Errorf("manifest %d: %w", i, err)
			}
			m.Children = append(m.Children, c.Digest)
		}
	case v1.MediaTypeImageManifest, DockerManifest:
		if doc.Config == nil {
			return m, fmt.Errorf("manifest has no config")
		}
		return m, m.addContent(*doc.Config, doc.Layers)
	default:
		return m, fmt.Errorf("media type %q is not taken", m.MediaType)
	}
	return m, nil
}

func (m *Manifest) addContent(config v1.Descriptor, layers []v1.Descriptor) error {
	for i, d := range append([]v1.Descriptor{config}, layers...) {
		what := "config"
		if i > 0 {
			what = fmt.Sprintf("layer %d", i-1)
		}
		if _, err := ParseDigest(string(d.Digest)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if d.Size < 0 || d.Size > 1<<40 {
			return fmt.Errorf("%s: size %d", what, d.Size)
		}
		m.Size += d.Size
	}
	m.Config, m.Layers = config.Digest, layers
	if m.ArtifactType == "" {
		m.ArtifactType = config.MediaType
	}
	return nil
}
