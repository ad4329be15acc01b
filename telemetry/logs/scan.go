package logs

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
)

// Query says which events of a group to read.
type Query struct {
	Group   string
	Streams []string // nil: all of them
	// From and To bound the timestamps in milliseconds; To is not part of it.
	// A To of 0 means no bound.
	From, To int64
	// After and Before bound the places, neither is part of it. A zero
	// Before means no bound.
	After, Before Pos
	Reverse       bool // newest first
}

// Scan calls visit for every event of the query in the order of Pos until
// visit returns false. An unknown group has no events. Events appended while
// it runs may or may not be seen. A block that cannot be read is left out and
// logged.
func (s *Store) Scan(ctx context.Context, q Query, visit func(Event) bool) error {
	g, err := s.group(q.Group, false)
	if err != nil || g == nil {
		return err
	}
	sc := newScanner(g, q)
	defer sc.close()
	for len(sc.heap) > 0 {
		it := heap.Pop(&sc.heap).(item)
		if it.event != nil {
			if !visit(*it.event) {
				return nil
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if it.block != nil {
			err = sc.readBlock(it.seg, *it.block)
		} else {
			err = sc.readIndex(it.seg)
		}
		if err != nil {
			return fmt.Errorf("read log group %s: %w", q.Group, err)
		}
	}
	return nil
}

// scanner merges segments, their blocks and the events of these through one
// heap: each is put in at the earliest place it can hold, and is opened when
// it comes up. So no more blocks are in memory than overlap in time.
type scanner struct {
	q       Query
	streams map[string]bool
	lo, hi  Pos // events lie strictly between
	heap    items
	live    []block // index of the segment being written
	files   map[*segment]*os.File
	buf     []byte
	g       *group
}

// item is a segment, a block of one, or an event.
type item struct {
	at    Pos
	seg   *segment
	block *block
	event *Event
}

type items []item

func (h items) Len() int           { return len(h) }
func (h items) Less(i, j int) bool { return h[i].at.Less(h[j].at) }
func (h items) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *items) Push(x any)        { *h = append(*h, x.(item)) }
func (h *items) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func newScanner(g *group, q Query) *scanner {
	sc := &scanner{q: q, g: g, lo: q.After, hi: Last, files: map[*segment]*os.File{}}
	if from := (Pos{q.From - 1, math.MaxUint64}); sc.lo.Less(from) && q.From > 0 {
		sc.lo = from
	}
	if q.To != 0 {
		sc.hi = Pos{q.To, 0}
	}
	if q.Before != (Pos{}) && q.Before.Less(sc.hi) {
		sc.hi = q.Before
	}
	if q.Streams != nil {
		sc.streams = map[string]bool{}
		for _, s := range q.Streams {
			sc.streams[s] = true
		}
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, seg := range g.segments {
		snap := *seg // the one being written goes on changing
		if !snap.sealed {
			sc.live = append(sc.live, snap.Blocks...)
		}
		sc.push(item{seg: &snap}, snap.MinTime, snap.MaxTime)
	}
	return sc
}

// push puts a container in when it may hold something of the query.
func (sc *scanner) push(it item, minTime, maxTime int64) {
	if minTime > maxTime || maxTime < sc.lo.Timestamp || minTime > sc.hi.Timestamp {
		return
	}
	it.at = Pos{minTime, 0}
	if sc.q.Reverse {
		it.at = mirror(Pos{maxTime, math.MaxUint64})
	}
	heap.Push(&sc.heap, it)
}

// mirror turns the order round.
func mirror(p Pos) Pos { return Pos{-p.Timestamp, math.MaxUint64 - p.Seq} }

func (sc *scanner) readIndex(seg *segment) error {
	blocks := sc.live
	if seg.sealed {
		var err error
		blocks, err = seg.readBlocks()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
	}
	mask := uint64(math.MaxUint64)
	if sc.streams != nil {
		mask = 0
		for i, s := range seg.Streams {
			if sc.streams[s.Name] {
				mask |= 1 << (i % 64)
			}
		}
	}
	for i := range blocks {
		if blocks[i].Streams&mask != 0 {
			sc.push(item{seg: seg, block: &blocks[i]}, blocks[i].MinTime, blocks[i].MaxTime)
		}
	}
	return nil
}

func (sc *scanner) readBlock(seg *segment, b block) error {
	f := sc.files[seg]
	if f == nil {
		var err error
		f, err = os.Open(seg.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		sc.files[seg] = f
	}
	if int64(cap(sc.buf)) < b.Length {
		sc.buf = make([]byte, b.Length)
	}
	data := sc.buf[:b.Length]
	if _, err := f.ReadAt(data, b.Offset); err != nil {
		return err
	}
	for rest := data; len(rest) > 0; {
		payload, next, err := nextRecord(rest)
		if errors.Is(err, errTorn) {
			sc.g.s.cfg.Log.Error("log segment is damaged", "group", sc.g.name, "segment", seg.path, "offset", b.Offset)
			return nil
		}
		sc.readRecord(seg, payload)
		rest = next
	}
	return nil
}

func (sc *scanner) readRecord(seg *segment, payload []byte) {
	if payload[0] != 'E' {
		return
	}
	r := &reader{p: payload[1:]}
	h := r.eventHead()
	if h.number >= len(seg.Streams) {
		return
	}
	name := seg.Streams[h.number].Name
	if sc.streams != nil && !sc.streams[name] {
		return
	}
	for i := range h.count {
		t := h.ingestion + r.varint()
		message := r.bytes()
		p := Pos{t, h.seq + uint64(i)}
		if !sc.lo.Less(p) || !p.Less(sc.hi) || r.err != nil {
			continue
		}
		at := p
		if sc.q.Reverse {
			at = mirror(p)
		}
		heap.Push(&sc.heap, item{at: at, event: &Event{
			Timestamp: t, Ingestion: h.ingestion, Stream: name, Message: string(message), Seq: p.Seq,
		}})
	}
}

func (sc *scanner) close() {
	for _, f := range sc.files {
		f.Close()
	}
}
