package loop

import (
	"container/heap"
	"time"
)

// queue holds the keys that wait, in the order in which they are due: looking
// for the next one costs nothing, however many wait.
type queue []*state

// put lets a key wait until it is due; one that waits already gets the new time.
func (q *queue) put(st *state, due time.Time) {
	st.due = due
	if st.place < 0 {
		heap.Push(q, st)
	} else {
		heap.Fix(q, st.place)
	}
}

// drop takes a key that waits out.
func (q *queue) drop(st *state) { heap.Remove(q, st.place) }

// What container/heap asks for.

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	st := x.(*state)
	st.place = len(*q)
	*q = append(*q, st)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	st := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	st.place = -1
	return st
}
