package logs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Stats is what a group holds of one stream. Times are milliseconds since 1970.
type Stats struct {
	First, Last   int64 // earliest and latest timestamp
	LastIngestion int64
	Bytes         int64 // messages and 26 bytes for each event
	Events        int64
}

// Streams tells of every stream of a group that holds events.
func (s *Store) Streams(groupName string) map[string]Stats {
	out := map[string]Stats{}
	g, err := s.group(groupName, false)
	if err != nil || g == nil {
		return out
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, seg := range g.segments {
		for _, st := range seg.Streams {
			if st.Events == 0 {
				continue
			}
			sum, ok := out[st.Name]
			if !ok {
				sum = Stats{First: st.First, Last: st.Last}
			}
			sum.First, sum.Last = min(sum.First, st.First), max(sum.Last, st.Last)
			sum.LastIngestion = max(sum.LastIngestion, st.LastIn)
			sum.Bytes += st.Bytes
			sum.Events += st.Events
			out[st.Name] = sum
		}
	}
	return out
}

// Bytes is what a group holds, counted as Stats.Bytes.
func (s *Store) Bytes(groupName string) int64 {
	g, err := s.group(groupName, false)
	if err != nil || g == nil {
		return 0
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	var sum int64
	for _, seg := range g.segments {
		for _, st := range seg.Streams {
			sum += st.Bytes
		}
	}
	return sum
}

// Expire removes the segments of a group whose events are all older than
// before. Younger segments may still hold older events: readers bound their
// queries.
func (s *Store) Expire(groupName string, before time.Time) (segments int, err error) {
	g, err := s.group(groupName, false)
	if err != nil || g == nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var kept []*segment
	var errs []error
	for i, seg := range g.segments {
		if seg.MaxTime >= before.UnixMilli() || seg.MinTime > seg.MaxTime {
			kept = append(kept, seg)
			continue
		}
		if i == len(g.segments)-1 && g.file != nil {
			g.file.Close()
			g.file = nil
		}
		if err := seg.remove(); err != nil {
			errs = append(errs, err)
			kept = append(kept, seg)
			continue
		}
		segments++
	}
	// What is left last may be sealed already; active begins a new one then.
	g.segments = kept
	if err := errors.Join(errs...); err != nil {
		return segments, fmt.Errorf("expire log group %s: %w", groupName, err)
	}
	return segments, nil
}

// RemoveStreams removes the events of some streams from the disk, by writing
// the segments that hold any anew without them.
func (s *Store) RemoveStreams(groupName string, gone func(stream string) bool) error {
	g, err := s.group(groupName, false)
	if err != nil || g == nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	holds := func(seg *segment) bool {
		return slices.ContainsFunc(seg.Streams, func(st summary) bool { return gone(st.Name) })
	}
	if n := len(g.segments); n > 0 && holds(g.segments[n-1]) {
		if err := g.seal(); err != nil {
			return fmt.Errorf("remove streams of log group %s: %w", groupName, err)
		}
	}
	var kept []*segment
	for i, seg := range g.segments {
		if !holds(seg) {
			kept = append(kept, seg)
			continue
		}
		next, err := seg.without(gone)
		if err != nil {
			g.segments = append(kept, g.segments[i:]...)
			return fmt.Errorf("remove streams of log group %s: %w", groupName, err)
		}
		if next != nil {
			kept = append(kept, next)
		}
	}
	g.segments = kept
	return nil
}

// without writes the segment anew and removes the old files. It returns nil
// when nothing is left.
func (s *segment) without(gone func(string) bool) (*segment, error) {
	next := newSegment(nextVersion(s.path))
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	out := []byte(header)
	for rest := data[len(header):]; len(rest) > 0; {
		payload, tail, err := nextRecord(rest)
		if err != nil {
			return nil, err
		}
		rest = tail
		if payload[0] != 'E' {
			continue // streams are defined anew, with new numbers
		}
		out, err = s.copyRecord(next, out, payload, gone)
		if err != nil {
			return nil, err
		}
	}
	if len(out) == len(header) {
		return nil, s.remove()
	}
	if err := writeFile(next.path, out); err != nil {
		return nil, err
	}
	if err := next.seal(); err != nil {
		return nil, err
	}
	return next, s.remove()
}

func (s *segment) copyRecord(next *segment, out, payload []byte, gone func(string) bool) ([]byte, error) {
	r := &reader{p: payload[1:]}
	h := r.eventHead()
	if h.number >= len(s.Streams) {
		return nil, errTorn
	}
	name := s.Streams[h.number].Name
	if gone(name) {
		return out, nil
	}
	start := len(out)
	number, ok := next.byStream[name]
	if !ok {
		number = len(next.Streams)
		out = appendStream(out, number, name)
	}
	events := make([]Event, h.count)
	for i := range events {
		t := h.ingestion + r.varint()
		events[i] = Event{Timestamp: t, Ingestion: h.ingestion, Seq: h.seq + uint64(i), Message: string(r.bytes())}
	}
	if r.err != nil {
		return nil, r.err
	}
	for rest := events; len(rest) > 0; {
		var n int
		out, n = appendEvents(out, number, rest)
		rest = rest[n:]
	}
	for rest := out[start:]; len(rest) > 0; {
		p, tail, err := nextRecord(rest)
		if err != nil {
			return nil, err
		}
		if err := next.index(p); err != nil {
			return nil, err
		}
		rest = tail
	}
	return out, nil
}

// nextVersion names the file that replaces a segment's.
func nextVersion(path string) string {
	base := filepath.Base(path)
	seq, _ := strconv.ParseUint(base[:20], 10, 64)
	n, _ := strconv.Atoi(base[21:25])
	return filepath.Join(filepath.Dir(path), segmentName(seq, n+1))
}
