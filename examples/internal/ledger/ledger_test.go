package ledger_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/examples/internal/ledger"
)

// The ledger against a plain model: the last n distinct ids, oldest out first.
func TestLedgerKeepsTheNewestRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 8).Draw(t, "capacity")
		l := ledger.New[int](capacity)
		var model []string
		values := map[string]int{}
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			id := fmt.Sprint(rapid.IntRange(0, 12).Draw(t, "id"))
			record, state := l.Claim(id)
			if value, known := values[id]; known != (state == ledger.Done) || known && value != record.Value {
				t.Fatalf("claim %s: %v %v, model has %v %v", id, record, state, value, known)
			}
			if state == ledger.Done {
				continue
			}
			if _, again := l.Claim(id); again != ledger.Busy {
				t.Fatalf("a claimed id can be claimed again")
			}
			if rapid.Bool().Draw(t, "release") {
				l.Release(id)
				continue
			}
			l.Finish(id, ledger.Record[int]{Value: i})
			model, values[id] = append(model, id), i
			if len(model) > capacity {
				delete(values, model[0])
				model = model[1:]
			}
		}
		for i := range 13 {
			id := fmt.Sprint(i)
			record, found, _ := l.Get(id)
			if value, known := values[id]; known != found || value != record.Value {
				t.Fatalf("get %s: %v %v, model has %v %v", id, record, found, value, known)
			}
		}
	})
}
