package tests

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slipway-dev/slipway/tests/rig"
)

var services = []string{"payment", "order", "notification"}

// The first ten minutes of a user: up, three answers, an order, down, nothing left.
func TestUp(t *testing.T) {
	before := rig.HostNow()
	w := newWorld(t)
	upAndDown(w, before)
}

// upAndDown tells the story for whichever user the world has.
func upAndDown(w world, before rig.Host) {
	curl := need(w, "curl", "apt-get install curl")
	out := w.must(w.UpArgs()...)
	for _, s := range services {
		says(w, out, s)
	}
	host := strings.TrimSpace(w.must("outputs", "LoadBalancerDns"))
	for _, s := range services {
		body, err := w.tool(curl, "-fsS", "--max-time", "5", "http://"+host+"/"+s+"/health")
		if err != nil {
			w.Fatal(err)
		}
		says(w, body, `"service":"`+s+`"`, `"status":"ok"`)
	}
	body, err := w.tool(curl, "-sS", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", "http://"+host+"/nothing")
	if err != nil || body != "404" {
		w.Errorf("a path of no service answers %s (%v), want 404", body, err)
	}
	order(w, curl, host)

	st, err := w.Status()
	if err != nil {
		w.Fatal(err)
	}
	seen := rig.Descendants(st.Pid)
	if len(seen) < 9 { // parent, init, engine, six tasks
		w.Errorf("only %d processes run: %v", len(seen), seen)
	}
	again := w.must(w.UpArgs()...)
	says(w, again, "nothing to change")
	if tasks, err := w.Tasks(""); err != nil || len(tasks) != 6 {
		w.Errorf("a second up leaves %d tasks (%v), want the six", len(tasks), err)
	}
	w.must("down", "--all")
	if left := w.Leftovers(before, seen); len(left) > 0 {
		w.Errorf("down --all leaves behind:\n%s", strings.Join(left, "\n"))
	}
}

// order makes an order that has to be found paid and notified, whichever task
// is asked.
func order(w world, curl, host string) {
	w.Helper()
	made, err := w.tool(curl, "-fsS", "--max-time", "10", "http://"+host+"/order/orders", "-H", "Idempotency-Key: story-"+w.Name(),
		"-d", `{"customer":"ada@example.com","items":[{"sku":"book","quantity":1,"price":1999}]}`)
	if err != nil {
		w.Fatal(err)
	}
	var o struct{ ID, Status string }
	if err := json.Unmarshal([]byte(made), &o); err != nil || o.ID == "" {
		w.Fatalf("the order is %s (%v)", made, err)
	}
	for range 4 {
		body, err := w.tool(curl, "-fsS", "--retry", "5", "--max-time", "10", "http://"+host+"/order/orders/"+o.ID)
		if err != nil {
			w.Fatal(err)
		}
		says(w, body, `"paid":true`, `"notified":true`, `"status":"paid"`, `"total":1999`)
	}
}
