package proxy

import (
	"errors"
	"sync/atomic"

	"github.com/slipway-dev/slipway/dataplane/pki"
)

// tlsMeter counts handshakes. Reasons are those of pki.Failures, so memory is
// fixed.
type tlsMeter struct {
	whole    atomic.Int64
	noCert   atomic.Int64
	failures [len(reasonsOfFailure)]atomic.Int64
	other    atomic.Int64
}

var reasonsOfFailure = [...]pki.Failure{pki.NoCertificate, pki.WrongAuthority, pki.WrongName, pki.WrongHash, pki.Expired, pki.NotYetValid}

// count books a handshake that ended with err. without says that the peer
// sent no certificate.
func (m *tlsMeter) count(err error, without bool) {
	if err == nil {
		m.whole.Add(1)
		if without {
			m.noCert.Add(1)
		}
		return
	}
	if e, ok := errors.AsType[*pki.VerifyError](err); ok {
		for i, f := range reasonsOfFailure {
			if e.Failure == f {
				m.failures[i].Add(1)
				return
			}
		}
	}
	m.other.Add(1)
}

// TLSStats is a reading of handshakes.
type TLSStats struct {
	Handshakes    int64                 // whole ones
	NoCertificate int64                 // among those, without a certificate of the peer
	Failures      map[pki.Failure]int64 // the peer was refused; all of pki.Failures are there
	// OtherErrors are handshakes that failed otherwise: the connection ended, the versions do not fit, or the peer refused
	// us, which a client learns only when it first reads (TLS 1.3).
	OtherErrors int64
}

func (m *tlsMeter) read() TLSStats {
	s := TLSStats{Handshakes: m.whole.Load(), NoCertificate: m.noCert.Load(), OtherErrors: m.other.Load(), Failures: map[pki.Failure]int64{}}
	for i, f := range reasonsOfFailure {
		s.Failures[f] = m.failures[i].Load()
	}
	return s
}
