package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	cfnapi "github.com/slipway-dev/slipway/api/cloudformationapi"
)

// TestTree: what it shows at the moments of a deployment. Nothing may wrap or
// be higher than the terminal, or it could not be taken back.
func TestTree(t *testing.T) {
	var out bytes.Buffer
	tr := newTree(&app{out: &out, terminal: true, noColor: true}, "platform", time.Now())
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tr.began = start
	event := func(id, status, reason string) {
		tr.event(cfnapi.StackEvent{
			StackId: new("stack"), PhysicalResourceId: new("x"), LogicalResourceId: &id, ResourceType: new("AWS::Some::Type"),
			ResourceStatus: cfnapi.ResourceStatus(status), ResourceStatusReason: &reason, Timestamp: &start,
		})
	}
	tr.event(cfnapi.StackEvent{StackId: new("stack"), PhysicalResourceId: new("stack"), LogicalResourceId: new("Shopdev"), ResourceStatus: "UPDATE_IN_PROGRESS"})
	for i := range 10 {
		event(fmt.Sprint("Thing", i), "CREATE_IN_PROGRESS", "")
	}
	event("Thing0", "CREATE_COMPLETE", "")
	event("Thing1", "CREATE_FAILED", strings.Repeat("because ", 40))
	event("Thing2", "CREATE_IN_PROGRESS", "Resource creation Initiated")
	tr.progress([]serviceReport{{
		Name: "payment", State: "ACTIVE", Desired: 2, LastEvent: "has started 1 tasks: (task 0123456789abcdef0123456789abcdef).",
		Deployments: []deploymentReport{{Revision: "payment:8", Rollout: "IN_PROGRESS", Running: 1}},
	}})
	rows := tr.rows(start.Add(1500 * time.Millisecond))
	got := strings.Join(rows, "\n")
	for _, want := range []string{"platform  2 done, 8 in progress  1.5s", "✗ Thing1  because", "Thing9", "  payment  8    rolling        2        1        0       0  has started 1 tasks: (task 01234567)."} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	tr.show(rows)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != tr.drawn || len(lines) > 23 {
		t.Errorf("%d lines drawn, %d counted", len(lines), tr.drawn)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w >= 80 {
			t.Errorf("%d columns: %s", w, l)
		}
	}
	out.Reset()
	tr.close()
	tr.close()
	tr.tick()
	if want := fmt.Sprintf("\x1b[%dA\x1b[J", len(lines)); !strings.HasPrefix(out.String(), want) || strings.Count(out.String(), "✗ Thing1") != 1 || strings.Contains(out.String(), "Thing5") ||
		!strings.Contains(out.String(), "payment  8") {
		t.Errorf("left on the screen: %q", out.String())
	}
}
