package seal

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func keyring(t testing.TB) *Keyring {
	k, err := OpenKeyring(filepath.Join(t.TempDir(), "state", "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What is sealed opens under its name, also after rotations and restarts, and
// under no other; nothing of it is readable.
func TestSealedThingsOpenUnderTheirName(t *testing.T) {
	k := keyring(t)
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "plain")
		name := rapid.String().Draw(r, "name")
		sealed := k.Seal(name, plain)
		if len(plain) > 8 && bytes.Contains(sealed, plain) {
			r.Fatal("the contents can be read")
		}
		if rapid.IntRange(0, 9).Draw(r, "rotate") == 0 {
			if err := k.Rotate(); err != nil {
				r.Fatal(err)
			}
			if !k.Stale(sealed) || k.Stale(k.Seal(name, plain)) {
				r.Fatal("what is stale is mistaken")
			}
		}
		again, err := OpenKeyring(k.path)
		if err != nil {
			r.Fatal(err)
		}
		got, err := again.Open(name, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			r.Fatalf("opened as %x: %v", got, err)
		}
		if _, err := k.Open(name+"x", sealed); !errors.Is(err, ErrForged) {
			r.Fatalf("under another name: %v", err)
		}
		bit := rapid.IntRange(0, len(sealed)*8-1).Draw(r, "bit")
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := k.Open(name, sealed); err == nil {
			r.Fatalf("opened with bit %d changed", bit)
		}
	})
}

func TestOtherKeysDoNotOpen(t *testing.T) {
	sealed := keyring(t).Seal("a", []byte("secret"))
	if _, err := keyring(t).Open("a", sealed); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	for cut := range sealed {
		if _, err := keyring(t).Open("a", sealed[:cut]); err == nil {
			t.Errorf("opened when cut at %d", cut)
		}
	}
}

func TestKeyFileIsItsOwnersAlone(t *testing.T) {
	k := keyring(t)
	info, err := os.Stat(k.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	if err := os.Chmod(k.path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyring(k.path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("%v", err)
	}
}

func TestDamagedKeyFilesAreRefused(t *testing.T) {
	good := string(formatKeys(keyring(t).keys))
	for name, text := range map[string]string{
		"empty": "", "head alone": keyFileHead + "\n", "another version": strings.Replace(good, "1", "2", 1), "cut off": good[:len(good)-1],
		"half a key": good[:len(good)-9] + "\n", "a word": good + "key\n",
	} {
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeyring(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if left, _ := os.ReadFile(path); string(left) != text {
			t.Errorf("%s: the file was written over", name)
		}
	}
}

// A process that replaces a file without end is killed, twenty times: the file
// is always one of those that it wrote, whole.
func TestKilledWhileReplacing(t *testing.T) {
	if path := os.Getenv("SEAL_TEST_REPLACE"); path != "" {
		for i := byte(0); ; i++ {
			if err := Replace(path, bytes.Repeat([]byte{i}, 1<<16)); err != nil {
				t.Fatal(err)
			}
			_, _ = os.Stdout.WriteString("written\n")
		}
	}
	path := filepath.Join(t.TempDir(), "file")
	for round := range 20 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=TestKilledWhileReplacing")
		cmd.Env = append(os.Environ(), "SEAL_TEST_REPLACE="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + round%5 {
			lines.Scan()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed, as was wanted
		got, err := os.ReadFile(path)
		if err != nil || len(got) != 1<<16 || !bytes.Equal(got, bytes.Repeat(got[:1], 1<<16)) {
			t.Fatalf("round %d: %d bytes, %v", round, len(got), err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := keyring(f)
	f.Add(k.Seal("a", nil))
	f.Add(k.Seal("a", []byte("secret"))[:leastSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := k.Open("b", sealed)
		if err == nil {
			t.Fatalf("opened as %x", plain)
		}
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrKey) && !errors.Is(err, ErrForged) {
			t.Fatal(err)
		}
		k.Stale(sealed)
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(formatKeys(keyring(f).keys))
	f.Add([]byte(keyFileHead + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeys(text)
		if err != nil {
			return
		}
		again, err := parseKeys(formatKeys(keys))
		if err != nil || len(again) != len(keys) || again[len(again)-1] != keys[len(keys)-1] {
			t.Fatalf("%v", err)
		}
	})
}
