package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/slipway-dev/slipway/dataplane/pki"
)

// files are certificates for programs that read files. Both is certificate and
// key in one.
type files struct{ trust, order, orderKey, orderBoth, payment, paymentKey, paymentBoth string }

// certificates are of the mesh's authority, as the sidecars' are.
func certificates(dir string, by *pki.Authority) (f files, err error) {
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err == nil {
			err = os.WriteFile(path, text, 0o644) // nginx's workers may be another user
		}
		return path
	}
	pair := func(service string) (cert, key, both string) {
		id := pki.Identity{Namespace: "dev.local", Service: service, Task: "bench", DNS: []string{service + ".dev.local"}}
		c, failed := by.Issue(id, 0, time.Now())
		if failed != nil {
			err = failed
			return
		}
		chain, private, failed := c.PEM()
		if failed != nil {
			err = failed
			return
		}
		return write(service+".pem", chain), write(service+".key", private), write(service+".both", append(chain, private...))
	}
	f.trust = write("trust.pem", by.PEM())
	f.order, f.orderKey, f.orderBoth = pair("order")
	f.payment, f.paymentKey, f.paymentBoth = pair("payment")
	return f, err
}
