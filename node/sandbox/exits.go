package sandbox

import (
	"encoding/json"
	"sync"
)

// queue hands strings on in order without ever blocking the one who puts them
// in; a string that is still in it is not put in twice.
type queue struct {
	out  chan string
	wake chan struct{}

	mu      sync.Mutex
	pending []string
	has     map[string]bool
}

func newQueue() *queue {
	q := &queue{out: make(chan string), wake: make(chan struct{}, 1), has: map[string]bool{}}
	go q.run()
	return q
}

func (q *queue) put(id string) {
	q.mu.Lock()
	if !q.has[id] {
		q.has[id] = true
		q.pending = append(q.pending, id)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	for range q.wake {
		for id, ok := q.take(); ok; id, ok = q.take() {
			q.out <- id
		}
	}
}

func (q *queue) take() (id string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending) == 0 {
		return "", false
	}
	id, q.pending = q.pending[0], q.pending[1:]
	delete(q.has, id)
	return id, true
}

// notice takes init's notifications.
func (h *Host) notice(op string, body json.RawMessage) {
	var id string
	if op == noteExit && json.Unmarshal(body, &id) == nil {
		h.exits.put(id)
	}
}
