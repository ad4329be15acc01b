package mesh

import (
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/slipway-dev/slipway/api/xdsapi"
)

// Load balancers believe what a proxy says that is connected, announced the
// port, and is alone in reaching the control plane from its task.
func TestWhoFrontsAPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.Put(shop(t, strict))
		w.task("proxied", "10.0.3.5")
		w.task("bare", "10.0.3.6")
		w.mu.Lock()
		bare := w.tasks["10.0.3.6"]
		bare.Intercepted = false
		w.tasks["10.0.3.6"] = bare
		w.mu.Unlock()
		var clients []*client
		for _, ip := range []string{"10.0.3.5", "10.0.3.6"} {
			c := w.client(ip, nodeARN("payment"))
			c.node.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{ingressKey: structpb.NewStringValue("15080=8080")}}
			c.ask(xdsapi.ClusterType)
			c.get(xdsapi.ClusterType)
			clients = append(clients, c)
		}
		for _, c := range []struct {
			task string
			port uint16
			want bool
		}{{"proxied", 15080, true}, {"proxied", 8080, false}, {"bare", 15080, false}, {"nobody", 15080, false}} {
			if got := w.Fronts(c.task, c.port); got != c.want {
				t.Errorf("port %d of %s: %v", c.port, c.task, got)
			}
		}
		_ = clients[0].stream.CloseRequest()
		synctest.Wait()
		if w.Fronts("proxied", 15080) {
			t.Error("a proxy that has gone is believed")
		}
	})
}
