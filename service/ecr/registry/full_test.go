package registry

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
)

// A full disk, here by a limit on the size of files, fails the upload and
// leaves nothing behind; with room again everything works.
func TestAFullDiskFailsOneUpload(t *testing.T) {
	// The limit is on a process: it is a child's, whose own files are none.
	if os.Getenv("REGISTRY_FULL") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestAFullDiskFailsOneUpload$")
		cmd.Env = append(os.Environ(), "REGISTRY_FULL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	b := open(t, dir)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	small := was
	small.Cur = 100 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("x"), 200<<10)
	u, err := b.Begin("r")
	if err == nil {
		_, err = u.Append(0, bytes.NewReader(data))
	}
	_, cerr := u.Commit(digest.FromBytes(data))
	if rerr := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); rerr != nil {
		t.Fatal(rerr)
	}
	if err == nil || !strings.Contains(err.Error(), "file too large") || cerr == nil {
		t.Errorf("append: %v, commit: %v", err, cerr)
	}
	u.Cancel()
	if err := b.Put(digest.FromBytes(data), data); err != nil {
		t.Error(err)
	}
	if got := verify(t, dir); len(got) != 1 {
		t.Errorf("%d blobs", len(got))
	}
}
