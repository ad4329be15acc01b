package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

var errRemoved = errors.New("log group is removed")

// group is a directory of segments. The last one is open for writing unless
// it is sealed.
type group struct {
	s    *Store
	name string
	dir  string

	mu       sync.RWMutex
	gone     error // set by remove and close
	segments []*segment
	file     *os.File // of the segment being written, nil when closed for idleness
	nextSeq  uint64
	buf      []byte
}

func openGroup(s *Store, name, dir string) (*group, error) {
	g := &group{s: s, name: name, dir: dir}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if strings.HasSuffix(e.Name(), ".tmp") {
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		}
		if !isSegment(e.Name()) {
			continue
		}
		seg := newSegment(path)
		if !seg.load() {
			seg = newSegment(path)
			cut, err := seg.recover()
			if err != nil {
				return nil, fmt.Errorf("recover %s: %w", e.Name(), err)
			}
			if cut > 0 {
				s.cfg.Log.Warn("cut a torn record off a log segment", "group", name, "segment", e.Name(), "bytes", cut)
			}
		}
		g.segments = append(g.segments, seg)
		g.nextSeq = max(g.nextSeq, seg.LastSeq+1)
	}
	if err := g.dropRewritten(); err != nil {
		return nil, err
	}
	// All but the last are complete: seal those whose index was not written.
	for i, seg := range g.segments {
		if i < len(g.segments)-1 && !seg.sealed {
			if err := seg.seal(); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// dropRewritten removes the older of two versions of a segment: the process
// ended between writing the new one and removing the old one.
func (g *group) dropRewritten() error {
	for i := 0; i+1 < len(g.segments); {
		a, b := filepath.Base(g.segments[i].path), filepath.Base(g.segments[i+1].path)
		if a[:20] != b[:20] {
			i++
			continue
		}
		if err := g.segments[i].remove(); err != nil {
			return err
		}
		g.segments = slices.Delete(g.segments, i, i+1)
	}
	return nil
}

// append is Store.Append.
func (g *group) append(stream string, events []Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone != nil {
		return g.gone
	}
	now := g.s.cfg.Now().UnixMilli()
	// The clock keeps sequence numbers growing even when every segment is gone.
	g.nextSeq = max(g.nextSeq, uint64(max(now, 0))<<20)
	for i := range events {
		if events[i].Ingestion == 0 {
			events[i].Ingestion = now
		}
		events[i].Seq = g.nextSeq
		g.nextSeq++
	}
	seg, err := g.active(events[0].Seq, now)
	if err != nil {
		return err
	}
	g.buf = g.buf[:0]
	number, known := seg.byStream[stream]
	if !known {
		number = len(seg.Streams)
		g.buf = appendStream(g.buf, number, stream)
	}
	for rest := events; len(rest) > 0; {
		var n int
		g.buf, n = appendEvents(g.buf, number, rest)
		rest = rest[n:]
	}
	if _, err := g.file.WriteAt(g.buf, seg.Size); err != nil {
		// What was written of it is overwritten by the next append, or cut
		// off here so that a restart does not find half of it.
		return errors.Join(err, g.file.Truncate(seg.Size))
	}
	for rest := g.buf; len(rest) > 0; {
		payload, next, err := nextRecord(rest)
		if err == nil {
			err = seg.index(payload)
		}
		if err != nil {
			return fmt.Errorf("index own record: %w", err)
		}
		rest = next
	}
	if cap(g.buf) > 256<<10 {
		g.buf = nil
	}
	g.s.markDirty(g)
	g.s.publish(g.name, stream, events)
	return nil
}

// active returns the segment to write to, with g.file open on it.
func (g *group) active(firstSeq uint64, now int64) (*segment, error) {
	if n := len(g.segments); n > 0 && !g.segments[n-1].sealed {
		seg := g.segments[n-1]
		full := seg.Size >= g.s.cfg.SegmentBytes
		old := seg.LastSeq > 0 && now-seg.FirstIn >= g.s.cfg.SegmentAge.Milliseconds()
		if !full && !old {
			return seg, g.openFile(seg)
		}
		if err := g.seal(); err != nil {
			return nil, err
		}
	}
	seg := newSegment(filepath.Join(g.dir, segmentName(firstSeq, 0)))
	f, err := os.OpenFile(seg.path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString(header); err != nil {
		f.Close()
		return nil, errors.Join(err, os.Remove(seg.path))
	}
	g.file = f
	g.segments = append(g.segments, seg)
	return seg, syncDir(g.dir)
}

func (g *group) openFile(seg *segment) error {
	if g.file != nil {
		return nil
	}
	f, err := os.OpenFile(seg.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	g.file = f
	return nil
}

// seal closes the segment being written, if there is one.
func (g *group) seal() error {
	n := len(g.segments)
	if n == 0 || g.segments[n-1].sealed {
		return nil
	}
	seg := g.segments[n-1]
	if err := g.openFile(seg); err != nil {
		return err
	}
	if err := g.file.Sync(); err != nil {
		return err
	}
	if err := g.file.Close(); err != nil {
		return err
	}
	g.file = nil
	return seg.seal()
}

func (g *group) close(reason error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = reason
	g.s.forget(g)
	if g.file == nil {
		return nil
	}
	err := g.file.Sync()
	err = errors.Join(err, g.file.Close())
	g.file = nil
	return err
}

// remove deletes the directory, its name first: what is left of it after a
// crash is no group.
func (g *group) remove() error {
	err := g.close(errRemoved)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.segments = nil
	return errors.Join(err, os.Remove(filepath.Join(g.dir, nameFile)), os.RemoveAll(g.dir))
}
