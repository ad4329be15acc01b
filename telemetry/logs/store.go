// Package logs keeps log events on disk and reads them back by time.
//
// Events belong to a stream of a group; both are opaque names here. A group is
// a directory of segments: append-only files of checksummed records, with a
// sparse index of times, rolled by size and age. Retention removes whole
// segments. Memory holds one small index for the segment being written and a
// summary of each sealed one, whatever the amount of logs.
//
// Invariants. What Append has returned for survives the end of the process at
// any moment; it survives a power failure once flushed, at most FlushEvery
// later. A torn record at the end of a file is cut off at the next start.
// Events are read in the order of Pos, merged over the streams; that order
// never changes, so a Pos is good as a token for ever.
package logs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config of a Store.
type Config struct {
	Dir          string
	Log          *slog.Logger     // default: slog.Default()
	SegmentBytes int64            // a segment is closed at this size; default 4 MiB
	SegmentAge   time.Duration    // and at this age; default 6 h
	FlushEvery   time.Duration    // how long bytes may wait for the disk; default 250 ms
	Now          func() time.Time // default time.Now
}

// Store is a directory of groups.
type Store struct {
	cfg Config

	mu     sync.RWMutex
	groups map[string]*group
	closed bool

	tails struct {
		sync.RWMutex
		all map[*Tail]bool
	}
	flush struct {
		sync.Mutex
		timer *time.Timer
		dirty map[*group]bool
		open  map[*group]bool // with an open file
	}
}

// MaxMessage is the longest message taken, in bytes: AWS's limit of 1 MiB.
const MaxMessage = 1 << 20

// What Append answers besides errors of the disk.
var (
	ErrClosed  = errors.New("log store is closed")
	ErrTooLong = errors.New("log event is longer than 1 MiB")
)

// Open opens or creates a store. Segments that were being written are read
// and their torn ends cut off.
func Open(cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = 4 << 20
	}
	if cfg.SegmentAge == 0 {
		cfg.SegmentAge = 6 * time.Hour
	}
	if cfg.FlushEvery == 0 {
		cfg.FlushEvery = 250 * time.Millisecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{cfg: cfg, groups: map[string]*group{}}
	s.flush.dirty, s.flush.open = map[*group]bool{}, map[*group]bool{}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log store: %w", err)
	}
	dirs, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open log store: %w", err)
	}
	for _, d := range dirs {
		if !d.IsDir() || len(d.Name()) != groupDir || strings.Trim(d.Name(), "0123456789abcdef") != "" {
			continue // not ours
		}
		dir := filepath.Join(cfg.Dir, d.Name())
		name, err := os.ReadFile(filepath.Join(dir, nameFile))
		if errors.Is(err, fs.ErrNotExist) {
			// Left by a removal, or by a creation that nobody was told of.
			if err := os.RemoveAll(dir); err != nil {
				return nil, fmt.Errorf("open log store: %w", err)
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open log store: %w", err)
		}
		g, err := openGroup(s, string(name), dir)
		if err != nil {
			return nil, fmt.Errorf("open log group %s: %w", name, err)
		}
		s.groups[string(name)] = g
	}
	return s, nil
}

const (
	// nameFile holds the group's name; a directory without one is no group.
	nameFile = "name"
	// groupDir is the length of a group's directory name: a hash, in hex.
	groupDir = 24
)

// group finds a group; with create, makes it.
func (s *Store) group(name string, create bool) (*group, error) {
	s.mu.RLock()
	g, closed := s.groups[name], s.closed
	s.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	if g != nil || !create {
		return g, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[name]; g != nil {
		return g, nil
	}
	sum := sha256.Sum256([]byte(name))
	dir := filepath.Join(s.cfg.Dir, hex.EncodeToString(sum[:groupDir/2]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, nameFile), []byte(name)); err != nil {
		return nil, err
	}
	if err := syncDir(s.cfg.Dir); err != nil {
		return nil, err
	}
	g, err := openGroup(s, name, dir)
	if err != nil {
		return nil, err
	}
	s.groups[name] = g
	return g, nil
}

// Append adds events to a stream and fills in their Seq, and Ingestion where
// it is 0. They are readable when it returns. On error none is acknowledged.
func (s *Store) Append(groupName, stream string, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	if slices.ContainsFunc(events, func(e Event) bool { return len(e.Message) > MaxMessage }) {
		return ErrTooLong
	}
	for {
		g, err := s.group(groupName, true)
		if err != nil {
			return fmt.Errorf("append to log group %s: %w", groupName, err)
		}
		err = g.append(stream, events)
		if errors.Is(err, errRemoved) {
			continue // removed between the two lines: begin anew
		}
		if err != nil {
			return fmt.Errorf("append to log group %s: %w", groupName, err)
		}
		return nil
	}
}

// Groups lists the groups that have been written to, sorted.
func (s *Store) Groups() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for name := range s.groups {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// RemoveGroup removes a group with all its events; an unknown one is no error.
func (s *Store) RemoveGroup(name string) error {
	s.mu.Lock()
	g := s.groups[name]
	delete(s.groups, name)
	s.mu.Unlock()
	if g == nil {
		return nil
	}
	if err := g.remove(); err != nil {
		return fmt.Errorf("remove log group %s: %w", name, err)
	}
	return nil
}

// Close flushes everything. Appends fail from then on.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	groups := s.groups
	s.groups = map[string]*group{}
	s.mu.Unlock()
	s.flush.Lock()
	if s.flush.timer != nil {
		s.flush.timer.Stop()
	}
	s.flush.Unlock()
	var errs []error
	for _, g := range groups {
		errs = append(errs, g.close(ErrClosed))
	}
	return errors.Join(errs...)
}

// segmentName is a file name that sorts as the sequence numbers do.
func segmentName(firstSeq uint64, rewrites int) string {
	return fmt.Sprintf("%020d-%04d.seg", firstSeq, rewrites)
}

func isSegment(name string) bool { return strings.HasSuffix(name, ".seg") }
