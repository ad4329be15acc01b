package logs

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzRecover reads a segment of any content: it never fails, and reading
// what it left gives the same again.
func FuzzRecover(f *testing.F) {
	buf := appendStream([]byte(header), 0, "s")
	buf, _ = appendEvents(buf, 0, []Event{{Timestamp: 5, Ingestion: 7, Message: "m", Seq: 1}, {Timestamp: 6, Ingestion: 7, Message: "n", Seq: 2}})
	f.Add(buf)
	f.Add([]byte{})
	f.Add([]byte(header + "\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// The checksum keeps a fuzzer out: records are also indexed without it.
		if len(data) > 0 {
			_ = newSegment("").index(data)
		}
		path := filepath.Join(t.TempDir(), "x.seg")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		first := newSegment(path)
		if _, err := first.recover(); err != nil {
			t.Fatal(err)
		}
		second := newSegment(path)
		cut, err := second.recover()
		if err != nil || cut != 0 || second.Size != first.Size || len(second.Streams) != len(first.Streams) {
			t.Fatalf("second recovery: cut %d, %v", cut, err)
		}
	})
}
