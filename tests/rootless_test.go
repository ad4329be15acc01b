package tests

import (
	"os"
	"testing"

	"github.com/slipway-dev/slipway/tests/rig"
)

// The same as an ordinary user, who may not open port 80 and owns no other uid
// but those of /etc/subuid.
func TestRootless(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("the tests run as an ordinary user: every other story has told this one")
		return
	}
	for _, program := range []string{"newuidmap", "newgidmap"} {
		need(t, program, "apt-get install uidmap")
	}
	need(t, "unshare", "apt-get install util-linux")
	need(t, "setpriv", "apt-get install util-linux")
	before := rig.HostNow()
	w := newWorld(t, func(o *rig.Options) { o.Ordinary = true })
	upAndDown(w, before)
}
