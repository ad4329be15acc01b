package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/slipway-dev/slipway/node/runtime"
)

// volumeDir is where volume i of a task is: its name, which users choose, is
// no path.
func (a *Agent) volumeDir(t Task, i int) string {
	return filepath.Join(a.cfg.Dir, "volumes", t.ID, strconv.Itoa(i))
}

// makeVolumes makes the task's volumes: empty, owned by root, mode 0755, as
// Fargate makes bind mounts. The first container that mounts one fills it
// from its image.
func (a *Agent) makeVolumes(l *live) error {
	for i := range l.row.Volumes {
		if err := os.MkdirAll(a.volumeDir(l.row, i), 0o755); err != nil {
			return &startFailure{"ResourceInitializationError", fmt.Sprintf("unable to make volume %s: %v", l.row.Volumes[i].Name, err)}
		}
	}
	return nil
}

func (a *Agent) removeVolumes(t Task) error {
	if t.ID == "" || len(t.Volumes) == 0 {
		return nil
	}
	return os.RemoveAll(filepath.Join(a.cfg.Dir, "volumes", t.ID))
}

// mounts resolves a container's mount points.
func (a *Agent) mounts(t Task, c Container) ([]runtime.Mount, error) {
	var out []runtime.Mount
	for _, m := range c.Mounts {
		found := false
		for i, v := range t.Volumes {
			if v.Name == m.Volume {
				found = true
				out = append(out, runtime.Mount{Source: a.volumeDir(t, i), Target: m.Path, ReadOnly: m.ReadOnly, CopyUp: true})
			}
		}
		if !found {
			return nil, fmt.Errorf("volume %s is not declared", m.Volume)
		}
	}
	return out, nil
}
