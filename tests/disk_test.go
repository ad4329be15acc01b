package tests

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/slipway-dev/slipway/api/ecsapi"
	"github.com/slipway-dev/slipway/tests/rig"
)

// The disk is full: tasks run on and are served, calls that would have to
// write fail and say why, and with space again nothing that was acknowledged
// is missing.
func TestFullDisk(t *testing.T) {
	needRoot(t, "it mounts a small file system")
	disk := filepath.Join(folder, "disk")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("slipway-test", disk, "tmpfs", 0, "size=160m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount %s: %v", disk, err)
		}
	})
	w := newWorld(t, func(o *rig.Options) { o.Home = filepath.Join(disk, "state") })
	w.must(w.UpArgs()...)
	pids := w.pids("")

	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	made, refusal := w.clustersUntilRefused()
	t.Logf("%d calls more were acknowledged; then: %v", len(made), refusal)
	if refusal == nil {
		t.Fatal("calls are acknowledged without end on a full disk")
	}
	says(t, refusal.Error(), "no space is left on its disk")
	if r := w.once("payment"); r.Failed() {
		t.Errorf("with the disk full the platform does not serve: %s", r)
	}
	w.must("outputs", "LoadBalancerDns") // reading needs no space

	// The worst moment for a crash.
	st, err := w.Status()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(st.EnginePid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	w.ready(st.EnginePid)
	listed := w.clusters()
	for _, name := range made {
		if !listed[name] {
			t.Errorf("cluster %s was acknowledged and is gone", name)
		}
	}
	w.create("after")
	w.eventually(10*time.Second, "all is served", func() (bool, error) {
		for _, s := range services {
			if r := w.once(s); r.Failed() {
				return false, errors.New(r.String())
			}
		}
		return true, nil
	})
	if now := w.pids(""); fmt.Sprint(now) != fmt.Sprint(pids) {
		t.Errorf("tasks %v ran before, %v now", pids, now)
	}
	says(t, w.must("up"), "nothing to change")
	w.must("down", "--all")
	if _, err := os.Lstat(w.Home); err == nil {
		t.Errorf("%s is left", w.Home)
	}
}

// fill writes until there is no space left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10} {
		block := make([]byte, size)
		for {
			if _, err = f.Write(block); err != nil {
				break
			}
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

// clustersUntilRefused makes clusters until one is refused, and returns the
// names of those that were acknowledged.
func (w world) clustersUntilRefused() (made []string, refusal error) {
	w.Helper()
	for i := range 3000 {
		name := fmt.Sprintf("filler-%04d", i)
		if err := w.tryCreate(name); err != nil {
			return made, err
		}
		made = append(made, name)
	}
	return made, nil
}

func (w world) create(name string) {
	w.Helper()
	if err := w.tryCreate(name); err != nil {
		w.Fatal(err)
	}
}

func (w world) tryCreate(name string) error {
	w.Helper()
	in := &ecsapi.CreateClusterInput{ClusterName: &name}
	for i := range 40 {
		in.Tags = append(in.Tags, ecsapi.Tag{Key: new(fmt.Sprintf("key-%d", i)), Value: new(strings.Repeat("x", 250))})
	}
	_, err := try[ecsapi.CreateClusterInput, ecsapi.CreateClusterOutput](w, "ecs", "CreateCluster", in)
	return err
}

func (w world) clusters() map[string]bool {
	w.Helper()
	names := map[string]bool{}
	in := &ecsapi.ListClustersInput{}
	for {
		out := call[ecsapi.ListClustersInput, ecsapi.ListClustersOutput](w, "ecs", "ListClusters", in)
		for _, a := range out.ClusterArns {
			names[a[strings.LastIndexByte(a, '/')+1:]] = true
		}
		if out.NextToken == nil {
			return names
		}
		in.NextToken = out.NextToken
	}
}

// once asks a service for its health.
func (w world) once(service string) rig.Answer {
	w.Helper()
	r := rig.Load{Addr: w.Balancer(), URL: w.url(service), Conns: 1, Count: 1}.Run(w.Context())
	if len(r) != 1 {
		w.Fatal("no request was sent")
	}
	return r[0]
}
