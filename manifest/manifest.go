// Package manifest reads slipway.yaml: the one file that describes a platform of services.
//
// It is the first stage of the client side (manifest -> synth -> CloudFormation) and knows neither AWS calls nor templates. Its Go types
// are the single source of the file's language: the same struct tags drive the strict decoder, the defaults, the error messages and the
// JSON Schema published as schema.json for editors.
//
// Invariants: a *Manifest that Parse returned is complete (every default applied) and consistent (every cross reference resolves, every
// Fargate size exists, every name fits its AWS limits); the services keep the order of the file; parsing never panics, whatever the bytes.
package manifest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// File is the manifest's usual name.
const File = "slipway.yaml"

// MaxBytes is the largest manifest that is read: 1 MiB, far above any real one.
const MaxBytes = 1 << 20

// Manifest is a whole platform. Field names in the file are the yaml tags.
type Manifest struct {
	Version      int               `yaml:"version" required:"true" enum:"1" doc:"Version of the manifest's language."`
	Name         string            `yaml:"name" required:"true" pattern:"[a-z][a-z0-9-]{0,20}[a-z0-9]" say:"2 to 22 small letters, digits and dashes, a letter first, no dash last" doc:"Name of the platform; part of the cluster's, the load balancer's and every Name tag's name."`
	Stack        string            `yaml:"stack" pattern:"[A-Za-z][A-Za-z0-9-]{0,99}" say:"up to 100 letters, digits and dashes, a letter first" doc:"Prefix of the CloudFormation stack's name, which is followed by the environment. Default: the name in camel case."`
	Environment  string            `yaml:"environment" default:"dev" pattern:"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?" say:"up to 12 small letters, digits and dashes, no dash at an end" doc:"Environment suffix of every name. --context environmentSuffix=... and ENVIRONMENT_SUFFIX override it."`
	Region       string            `yaml:"region" default:"us-east-1" pattern:"[a-z]{2}(-[a-z]+)+-[0-9]" say:"a region's name, such as us-east-1" doc:"AWS region."`
	Architecture string            `yaml:"architecture" enum:"amd64|arm64" doc:"Processor the images are built for. Default: that of the machine that builds."`
	Tags         map[string]string `yaml:"tags" doc:"Tags of every resource; Environment is added."`
	Network      Network           `yaml:"network" doc:"The VPC."`
	Cluster      Cluster           `yaml:"cluster" doc:"The ECS cluster and the capacity its tasks run on."`
	LoadBalancer LoadBalancer      `yaml:"loadBalancer" doc:"The application load balancer in front of the services."`
	Mesh         Mesh              `yaml:"mesh" doc:"The service mesh."`
	Monitoring   Monitoring        `yaml:"monitoring" doc:"What watches the platform."`
	Defaults     Settings          `yaml:"defaults" doc:"Settings of every service that does not say otherwise."`
	Services     []Service         `yaml:"services" required:"true" keyed:"[a-z]([a-z0-9-]{0,18}[a-z0-9])?" doc:"The services, by name."`

	// Path is the file the manifest came from; Dir its folder, which relative paths in it start from.
	Path string `yaml:"-"`
	Dir  string `yaml:"-"`

	at map[string]Position
}

// Options override what the file says.
type Options struct {
	// Environment replaces the environment suffix when not empty.
	Environment string
}

// StackName is the name of the CloudFormation stack: the prefix and the environment, as in TapStackdev.
func (m *Manifest) StackName() string { return m.Stack + m.Environment }

// Service finds a service by name.
func (m *Manifest) Service(name string) (*Service, bool) {
	for i := range m.Services {
		if m.Services[i].Name == name {
			return &m.Services[i], true
		}
	}
	return nil, false
}

// Position tells where in the file the value at a path such as "services.payment.build" stands. For a value that is a default it is the
// position of the nearest enclosing value that is written.
func (m *Manifest) Position(path string) Position { return nearest(m.at, path) }

// Load reads and parses the manifest at path; when path is a folder, the slipway.yaml in it. What is wrong with the content comes back as
// Errors.
func Load(path string, o Options) (*Manifest, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, File)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w (slipway init writes one)", err)
	}
	if info.Size() > MaxBytes {
		return nil, fmt.Errorf("read manifest %s: %d bytes; at most %d are read", path, info.Size(), MaxBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return Parse(path, data, o)
}

// Parse decodes and checks a manifest; path names the file in messages and is the root of relative paths. All errors found are returned
// together, as Errors, in the order of the file.
func Parse(path string, data []byte, o Options) (*Manifest, error) {
	m := &Manifest{Path: path, Dir: filepath.Dir(path)}
	d := newDecoder(path, data)
	d.document(m)
	m.at = d.at
	if o.Environment != "" {
		m.Environment = o.Environment
	}
	m.fill()
	check(d, m, o)
	if err := d.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// fill sets the defaults that depend on other fields.
func (m *Manifest) fill() {
	if m.Stack == "" {
		m.Stack = Camel(m.Name)
	}
	if m.Architecture == "" {
		m.Architecture = "amd64"
		if runtime.GOARCH == "arm64" {
			m.Architecture = "arm64"
		}
	}
	if m.Cluster.Spot == (Capacity{}) && m.Cluster.OnDemand == (Capacity{}) {
		m.Cluster.Spot = Capacity{Base: 2, Weight: 1}
	}
	for i := range m.Services {
		s := &m.Services[i]
		s.fill(i)
		s.scale(func(key string) bool {
			_, own := m.at["services."+s.Name+"."+key]
			_, shared := m.at["defaults."+key]
			return own || shared
		})
	}
}
