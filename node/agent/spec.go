package agent

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-dev/slipway/node/runtime"
)

// MetadataAddress is where tasks find the metadata and credentials endpoints.
const MetadataAddress = "169.254.170.2:80"

// spec is the container that a definition asks for.
func (a *Agent) spec(t Task, i int, img runtime.Image, netns string) (runtime.Spec, error) {
	c := t.Containers[i]
	mounts, err := a.mounts(t, c)
	if err != nil {
		return runtime.Spec{}, err
	}
	s := runtime.Spec{
		ID:                containerID(t, i),
		Group:             runtime.Group{ID: t.ID, CPU: float64(t.CPU) / 1024, Memory: int64(t.MemoryMiB) << 20},
		Image:             img,
		Hostname:          hostname(t),
		NetNS:             netns,
		EntryPoint:        c.EntryPoint,
		Command:           c.Command,
		Env:               a.environment(t, i),
		User:              c.User,
		Dir:               c.WorkingDirectory,
		ReadOnlyRoot:      c.ReadOnlyRoot,
		Init:              c.InitProcess,
		Mounts:            mounts,
		Files:             networkFiles(t, c),
		CPUShares:         int64(c.CPU),
		MemoryLimit:       int64(c.MemoryMiB) << 20,
		MemoryReservation: int64(c.ReservationMiB) << 20,
		Sysctls:           c.SystemControls,
		CapAdd:            c.CapAdd,
		CapDrop:           c.CapDrop,
	}
	if c.Hostname != "" {
		s.Hostname = c.Hostname
	}
	for _, m := range c.Tmpfs {
		s.Tmpfs = append(s.Tmpfs, runtime.Tmpfs{Target: m.Path, Size: int64(m.SizeMiB) << 20, Options: m.Options})
	}
	for _, u := range c.Ulimits {
		s.Ulimits = append(s.Ulimits, runtime.Ulimit{Name: u.Name, Soft: u.Soft, Hard: u.Hard})
	}
	return s, nil
}

// environment is what Fargate sets, and over it the definition's.
func (a *Agent) environment(t Task, i int) []string {
	c := t.Containers[i]
	id := containerID(t, i)
	host := strings.TrimSuffix(MetadataAddress, ":80")
	set := []string{
		"AWS_EXECUTION_ENV=AWS_ECS_FARGATE",
		"AWS_REGION=" + t.Scope.Region,
		"AWS_DEFAULT_REGION=" + t.Scope.Region,
		"ECS_CONTAINER_METADATA_URI=http://" + host + "/v3/" + id,
		"ECS_CONTAINER_METADATA_URI_V4=http://" + host + "/v4/" + id,
		"ECS_AGENT_URI=http://" + host + "/api/" + id,
	}
	var extra, own []string
	if a.cfg.Env != nil {
		extra = a.cfg.Env(t, c)
	}
	for name, value := range sorted(c.Environment) {
		if a.cfg.CallbackBase != "" {
			value = strings.ReplaceAll(value, a.cfg.CallbackBase+CallbackPath, "http://"+host+CallbackPath)
		}
		own = append(own, name+"="+value)
	}
	return runtime.MergeEnv(set, extra, own)
}

// sorted yields a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}
