package manifest

// Deploy is what makes a new deployment of a service besides a change of the manifest.
type Deploy struct {
	OnPush bool `yaml:"on_push" doc:"Deploy again when an image is pushed to the service's repository under the tag that it uses."`
}

// deploy checks that there is a repository to watch.
func (c checker) deploy(s *Service, at string) {
	if s.Deploy.OnPush && !s.Built() {
		c.wrong(at+".deploy.on_push", "only pushes to the service's own repository are seen, which it has with build or dockerfile")
	}
}
