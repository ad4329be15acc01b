package blob

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/kernel/seal"
)

func open(t testing.TB) *Store {
	t.Helper()
	dir := t.TempDir()
	keys, err := seal.OpenKeyring(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(dir, "objects"), keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, s *Store, data []byte) *Writer {
	t.Helper()
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return w
}

func read(s *Store, id string, size, from, length int64) ([]byte, error) {
	r, err := s.Read(id, size, from, length)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// pattern is n bytes of which no two stretches are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func TestWhatWasWrittenIsReadInAnyRange(t *testing.T) {
	s := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(segment-2, segment+2), rapid.IntRange(2*segment-1, 3*segment)).Draw(rt, "size")
		data := pattern(size)
		w := write(t, s, data)
		defer w.Abort()
		from := rapid.IntRange(0, size).Draw(rt, "from")
		length := rapid.IntRange(0, size-from).Draw(rt, "length")
		got, err := read(s, w.ID, int64(size), int64(from), int64(length))
		if err != nil || !bytes.Equal(got, data[from:from+length]) {
			rt.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}

func TestADamagedBlobIsNotRead(t *testing.T) {
	s := open(t)
	data := pattern(2*segment + 5)
	w := write(t, s, data)
	path := s.path(w.ID)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(whole, data[:16]) {
		t.Error("the contents can be read on disk")
	}
	size := int64(len(data))
	second := sealed + segment + tag
	swapped := bytes.Clone(whole)
	copy(swapped[sealed:], whole[second:second+segment+tag])
	copy(swapped[second:], whole[sealed:second])
	flipped := bytes.Clone(whole)
	flipped[second] ^= 1
	for name, c := range map[string]struct {
		file []byte
		size int64
	}{
		"a bit flipped":                     {flipped, size},
		"segments swapped":                  {swapped, size},
		"the end cut off":                   {whole[:len(whole)-1], size},
		"cut at a segment, the row altered": {whole[:second+segment+tag], 2 * segment},
		"another blob's key":                {append(bytes.Clone(whole[:40]), whole[41:]...), size},
	} {
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(s, w.ID, c.size, 0, c.size); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(s, w.ID, size, segment, 1); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if got, err := read(s, w.ID, size, 0, segment); err != nil || !bytes.Equal(got, data[:segment]) {
		t.Errorf("a segment before the damage: %v", err)
	}
}

func TestABlobIsRemovedWhenNobodyHoldsIt(t *testing.T) {
	s := open(t)
	w := write(t, s, []byte("x"))
	reader := s.Hold(w.ID)
	w.Release()
	if err := s.Remove(w.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := read(s, w.ID, 1, 0, 1); err != nil || string(got) != "x" {
		t.Errorf("while a reader holds it: %q %v", got, err)
	}
	reader()
	if _, err := os.Stat(s.path(w.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the last let go: %v", err)
	}
}

func TestGarbageIsSwept(t *testing.T) {
	s := open(t)
	kept, pending, lost := write(t, s, []byte("a")), write(t, s, []byte("b")), write(t, s, []byte("c"))
	kept.Release()
	lost.Release()
	n, err := s.Sweep(func(id string) bool { return id == kept.ID })
	if err != nil || n != 1 {
		t.Errorf("%d swept, %v", n, err)
	}
	for _, c := range []struct {
		w     *Writer
		there bool
	}{{kept, true}, {pending, true}, {lost, false}} {
		if _, err := os.Stat(s.path(c.w.ID)); (err == nil) != c.there {
			t.Errorf("%s: %v", c.w.ID, err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s := open(b)
	chunk := pattern(1 << 20)
	b.SetBytes(64 << 20)
	for b.Loop() {
		w, err := s.Create()
		if err != nil {
			b.Fatal(err)
		}
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Commit(); err != nil {
			b.Fatal(err)
		}
		w.Abort()
	}
}
