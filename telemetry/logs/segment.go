package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// blockSize is how many bytes of records one entry of the time index covers,
// at least.
const blockSize = 16 << 10

// segment is what is known of one segment file. The index file beside a
// sealed one is this as JSON in the first line, the blocks in the second.
type segment struct {
	Size     int64     `json:"size"` // of the file
	MinTime  int64     `json:"minTime"`
	MaxTime  int64     `json:"maxTime"`
	FirstIn  int64     `json:"firstIn"` // ingestion time of the first event
	LastSeq  uint64    `json:"lastSeq"`
	Streams  []summary `json:"streams"` // by number
	Blocks   []block   `json:"-"`
	path     string    // of the segment file
	sealed   bool
	byStream map[string]int
}

// summary is what a segment holds of one stream.
type summary struct {
	Name   string `json:"name"`
	First  int64  `json:"first"` // earliest and latest timestamp
	Last   int64  `json:"last"`
	LastIn int64  `json:"lastIn"` // latest ingestion time
	Bytes  int64  `json:"bytes"`  // of messages, plus 26 each, as AWS counts
	Events int64  `json:"events"`
}

// block is an entry of the time index.
type block struct {
	Offset  int64  `json:"o"`
	Length  int64  `json:"n"`
	MinTime int64  `json:"a"`
	MaxTime int64  `json:"z"`
	Streams uint64 `json:"s"` // bit number%64 for each stream with events here
}

func newSegment(path string) *segment {
	return &segment{
		path: path, Size: int64(len(header)),
		MinTime: math.MaxInt64, MaxTime: math.MinInt64, byStream: map[string]int{},
	}
}

func (s *segment) indexPath() string { return strings.TrimSuffix(s.path, ".seg") + ".idx" }

func (s *segment) addStream(name string) int {
	s.byStream[name] = len(s.Streams)
	s.Streams = append(s.Streams, summary{Name: name, First: math.MaxInt64, Last: math.MinInt64})
	return len(s.Streams) - 1
}

// addRecord extends the index by a record of n bytes on disk with events of
// stream number; a record without events has count 0.
func (s *segment) addRecord(n int64, number int, minTime, maxTime, ingestion int64, lastSeq uint64, count int, bytes int64) {
	last := len(s.Blocks) - 1
	if last < 0 || s.Blocks[last].Length >= blockSize {
		s.Blocks = append(s.Blocks, block{Offset: s.Size, MinTime: math.MaxInt64, MaxTime: math.MinInt64})
		last++
	}
	b := &s.Blocks[last]
	b.Length += n
	s.Size += n
	if count == 0 {
		return
	}
	b.MinTime, b.MaxTime = min(b.MinTime, minTime), max(b.MaxTime, maxTime)
	b.Streams |= 1 << (number % 64)
	if s.LastSeq == 0 {
		s.FirstIn = ingestion
	}
	s.MinTime, s.MaxTime = min(s.MinTime, minTime), max(s.MaxTime, maxTime)
	s.LastSeq = max(s.LastSeq, lastSeq)
	st := &s.Streams[number]
	st.First, st.Last = min(st.First, minTime), max(st.Last, maxTime)
	st.LastIn = max(st.LastIn, ingestion)
	st.Bytes += bytes
	st.Events += int64(count)
}

// index takes a record read from disk or just encoded into the index.
func (s *segment) index(payload []byte) error {
	n := int64(len(payload) + recordHead)
	r := &reader{p: payload[1:]}
	switch payload[0] {
	case 'S':
		if number := r.uvarint(); r.err != nil || number != uint64(len(s.Streams)) {
			return errTorn
		}
		s.addStream(string(r.p))
		s.addRecord(n, 0, 0, 0, 0, 0, 0, 0)
		return nil
	case 'E':
		h := r.eventHead()
		lo, hi, bytes := int64(math.MaxInt64), int64(math.MinInt64), int64(0)
		for range h.count {
			t := h.ingestion + r.varint()
			bytes += int64(len(r.bytes())) + eventOverhead
			lo, hi = min(lo, t), max(hi, t)
		}
		if r.err != nil || h.number >= len(s.Streams) || h.count == 0 {
			return errTorn
		}
		s.addRecord(n, h.number, lo, hi, h.ingestion, h.seq+uint64(h.count)-1, h.count, bytes)
		return nil
	}
	return errTorn
}

// eventOverhead is what CloudWatch Logs counts for an event besides its message.
const eventOverhead = 26

// recover reads a segment that has no index and cuts a torn tail off. It
// returns how many bytes it cut.
func (s *segment) recover() (cut int64, err error) {
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	if len(data) < len(header) || string(data[:len(header)]) != header {
		// Nothing can have been acknowledged from a file without its header.
		if _, err := f.WriteAt([]byte(header), 0); err != nil {
			return 0, err
		}
		return int64(len(data)), f.Truncate(int64(len(header)))
	}
	for rest := data[len(header):]; len(rest) > 0; {
		payload, next, err := nextRecord(rest)
		if err != nil || s.index(payload) != nil {
			return int64(len(rest)), f.Truncate(s.Size)
		}
		rest = next
	}
	return 0, nil
}

// seal writes the index beside the flushed segment; it changes no more.
func (s *segment) seal() error {
	doc, err := json.Marshal(s)
	if err != nil {
		return err
	}
	blocks, err := json.Marshal(s.Blocks)
	if err != nil {
		return err
	}
	if err := writeFile(s.indexPath(), slices.Concat(doc, []byte("\n"), blocks)); err != nil {
		return fmt.Errorf("seal %s: %w", filepath.Base(s.path), err)
	}
	s.sealed = true
	s.Blocks = nil // read again when needed
	return nil
}

// load reads the index of a sealed segment; false when there is none that
// fits the segment.
func (s *segment) load() bool {
	doc, err := os.ReadFile(s.indexPath())
	doc, blocks, found := bytes.Cut(doc, []byte("\n"))
	if err != nil || !found || len(blocks) < 2 || json.Unmarshal(doc, s) != nil {
		return false
	}
	st, err := os.Stat(s.path)
	if err != nil || st.Size() != s.Size {
		return false
	}
	for i, str := range s.Streams {
		s.byStream[str.Name] = i
	}
	s.sealed = true
	return true
}

// readBlocks reads the time index of a sealed segment.
func (s *segment) readBlocks() ([]block, error) {
	doc, err := os.ReadFile(s.indexPath())
	if err != nil {
		return nil, err
	}
	var blocks []block
	_, line, _ := bytes.Cut(doc, []byte("\n"))
	return blocks, json.Unmarshal(line, &blocks)
}

func (s *segment) remove() error {
	for _, p := range []string{s.path, s.indexPath()} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writeFile puts a whole file in place, or none.
func writeFile(path string, data []byte) error {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path + ".tmp")
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
