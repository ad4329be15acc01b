package registry

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"
)

func open(t testing.TB, dir string) *Blobs {
	t.Helper()
	b, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verify fails when a file of the registry is not what its name says, and
// returns the digests that are there.
func verify(t testing.TB, dir string) map[digest.Digest]bool {
	t.Helper()
	b := open(t, dir)
	got := map[digest.Digest]bool{}
	err := filepath.WalkDir(b.blobDir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		d := digest.FromBytes(data)
		if d.Encoded() != e.Name() {
			t.Errorf("%s holds %s", e.Name(), d)
		}
		got[d] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(b.uploadDir())
	if err != nil || len(left) > 0 {
		t.Errorf("uploads left behind: %v %v", left, err)
	}
	return got
}

func TestAnUploadBecomesABlob(t *testing.T) {
	b := open(t, t.TempDir())
	u, err := b.Begin("repo")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range []string{"one ", "two ", "three"} {
		at := u.Size()
		if i == 1 {
			at = -1
		}
		if _, err := u.Append(at, strings.NewReader(part)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.Append(3, strings.NewReader("x")); !errors.Is(err, ErrOffset) {
		t.Errorf("a chunk at a wrong offset: %v", err)
	}
	if _, err := b.Upload("other", u.ID); !errors.Is(err, ErrUploadUnknown) {
		t.Errorf("another repository found the upload: %v", err)
	}
	want := digest.FromString("one two three")
	if _, err := u.Commit(want); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Upload("repo", u.ID); !errors.Is(err, ErrUploadUnknown) {
		t.Errorf("a committed upload is still known: %v", err)
	}
	got, err := b.Read(want, 100)
	if err != nil || string(got) != "one two three" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := b.Read(want, 5); err == nil {
		t.Error("the limit was not held")
	}
}

func TestAWrongDigestIsRefusedAndForgotten(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	u, _ := b.Begin("r")
	u.Append(0, strings.NewReader("content"))
	if _, err := u.Commit(digest.FromString("other")); !errors.Is(err, ErrDigest) {
		t.Errorf("got %v", err)
	}
	if n := len(verify(t, dir)); n != 0 {
		t.Errorf("%d blobs", n)
	}
	for _, bad := range []string{"", "sha256:", "sha256:xyz", "md5:abc", "sha256:" + strings.Repeat("A", 64), "sha512:" + strings.Repeat("a", 128), "sha256:../../etc/passwd"} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("digest %q was taken", bad)
		}
	}
}

func TestABrokenChunkCanBeResumed(t *testing.T) {
	b := open(t, t.TempDir())
	u, _ := b.Begin("r")
	n, err := u.Append(0, iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abc"))))
	if err == nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	if _, err := u.Append(1, strings.NewReader("bc")); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Commit(digest.FromString("abc")); err != nil {
		t.Fatal(err)
	}
}

// The process ends before each of the changes on disk in turn.
func TestAnEndAtAnyStepCorruptsNothing(t *testing.T) {
	errEnd := errors.New("end")
	for stop := 0; ; stop++ {
		dir := t.TempDir()
		b := open(t, dir)
		n, last := 0, ""
		b.step = func(s string) error {
			last = s
			if n == stop {
				return errEnd
			}
			n++
			return nil
		}
		acked := map[digest.Digest]bool{}
		run := func() error {
			for i := range 3 {
				data := bytes.Repeat([]byte{byte(i)}, 300<<10)
				u, err := b.Begin("r")
				if err != nil {
					return err
				}
				if _, err := u.Append(0, bytes.NewReader(data)); err != nil {
					return err
				}
				d := digest.FromBytes(data)
				if _, err := u.Commit(d); err != nil {
					return err
				}
				acked[d] = true
			}
			return nil
		}
		err := run()
		got := verify(t, dir)
		for d := range acked {
			if !got[d] {
				t.Errorf("stopped at %d (%s): acknowledged blob %s is lost", stop, last, d)
			}
		}
		if err == nil {
			if stop < 15 {
				t.Errorf("only %d steps", stop)
			}
			return
		}
	}
}

// The real thing: a child process uploads and is killed at a random moment.
func TestAKilledProcessCorruptsNothing(t *testing.T) {
	if dir := os.Getenv("REGISTRY_CHILD"); dir != "" {
		child(dir)
	}
	for range 8 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestAKilledProcessCorruptsNothing$")
		cmd.Env = append(os.Environ(), "REGISTRY_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		acked := map[digest.Digest]bool{}
		lines := bufio.NewScanner(out)
		var killer *time.Timer
		for lines.Scan() {
			if d, err := ParseDigest(lines.Text()); err == nil {
				acked[d] = true
			}
			if killer == nil {
				killer = time.AfterFunc(time.Duration(mrand.IntN(40))*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		got := verify(t, dir)
		if len(acked) == 0 {
			t.Error("the child did nothing")
		}
		for d := range acked {
			if !got[d] {
				t.Errorf("acknowledged blob %s is lost", d)
			}
		}
	}
}

func child(dir string) {
	b, err := Open(Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	for {
		data := make([]byte, 1+mrand.IntN(1<<20))
		rand.Read(data)
		u, err := b.Begin("r")
		if err != nil {
			panic(err)
		}
		if _, err := u.Append(0, bytes.NewReader(data)); err != nil {
			panic(err)
		}
		if _, err := u.Commit(digest.FromBytes(data)); err != nil {
			panic(err)
		}
		fmt.Println(digest.FromBytes(data))
	}
}

func TestSweepKeepsWhatIsUsedOrHeld(t *testing.T) {
	now := time.Unix(0, 0)
	dir := t.TempDir()
	b, err := Open(Config{Dir: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	put := func(s string) digest.Digest {
		d := digest.FromString(s)
		if err := b.Put(d, []byte(s)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	used, held, unused := put("used"), put("held"), put("unused")
	release := b.Hold(held)
	u, _ := b.Begin("r")
	now = now.Add(2 * time.Hour)
	young, _ := b.Begin("r")
	isUsed := func(d digest.Digest) bool { return d == used }
	got, err := b.Sweep(time.Hour, isUsed)
	if err != nil || got != (Swept{Blobs: 1, Bytes: 6, Uploads: 1}) {
		t.Errorf("swept %+v, %v", got, err)
	}
	if _, err := b.Size(unused); !errors.Is(err, ErrBlobUnknown) {
		t.Errorf("unused blob: %v", err)
	}
	if _, err := u.Append(0, strings.NewReader("x")); !errors.Is(err, ErrUploadUnknown) {
		t.Errorf("stale upload: %v", err)
	}
	if _, err := young.Append(0, strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	young.Cancel()
	release()
	release() // twice is harmless
	if got, err := b.Sweep(time.Hour, isUsed); err != nil || got.Blobs != 1 {
		t.Errorf("swept %+v, %v", got, err)
	}
	if got := verify(t, dir); len(got) != 1 || !got[used] {
		t.Errorf("left: %v", got)
	}
}

func FuzzParseManifest(f *testing.F) {
	d := digest.FromString("x")
	f.Add([]byte(fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q,"size":1},"layers":[{"digest":%q,"size":2}]}`, d, d)), "")
	f.Add([]byte(fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"digest":%q}]}`, d)), "")
	f.Fuzz(func(t *testing.T, data []byte, mediaType string) {
		m, err := ParseManifest(data, mediaType)
		if err != nil {
			return
		}
		for _, b := range append(m.Blobs(), m.Children...) {
			if _, err := ParseDigest(string(b)); err != nil {
				t.Errorf("blob %q: %v", b, err)
			}
		}
		if m.Size < 0 {
			t.Errorf("size %d", m.Size)
		}
	})
}
