package manifest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Sources checks that what the services are built from is there: the folders of Go packages and the Dockerfiles. Parse does not, since a
// manifest can be read on a machine that has no sources. The error is an Errors.
func (m *Manifest) Sources() error {
	var wrong Errors
	for _, s := range m.Services {
		for _, source := range []struct {
			key, path string
			folder    bool
		}{{"build", s.Build, true}, {"dockerfile", s.Dockerfile, false}} {
			if source.path == "" || s.Image != "" {
				continue
			}
			if message := missing(filepath.Join(m.Dir, source.path), source.folder); message != "" {
				at := "services." + s.Name + "." + source.key
				wrong = append(wrong, &Error{File: m.Path, Position: m.Position(at), Path: at, Message: source.path + " " + message})
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// missing says what is wrong with a path, nothing if it is as it should be.
func missing(path string, folder bool) string {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && folder:
		return "is no folder next to the manifest; name the folder of a Go package, such as ./cmd/api"
	case errors.Is(err, fs.ErrNotExist):
		return "is no file next to the manifest"
	case err != nil:
		return "cannot be read: " + err.Error()
	case info.IsDir() && !folder:
		return "is a folder; name the Dockerfile in it"
	case !info.IsDir() && folder:
		return "is a file; name the folder of a Go package"
	}
	return ""
}
