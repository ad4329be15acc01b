package pki

import "fmt"

// Failure is why a peer was refused.
type Failure string

// The failures, by the word that counters have for them.
const (
	NoCertificate  Failure = "no_cert"       // none was sent, and one is needed
	WrongAuthority Failure = "error"         // signed by nobody who is trusted, or not fit for TLS
	WrongName      Failure = "san"           // none of the names that are accepted
	WrongHash      Failure = "cert_hash"     // not one of the certificates that are accepted
	Expired        Failure = "expired"       // its time is over
	NotYetValid    Failure = "not_yet_valid" // its time has not come
)

// Failures are all of them.
var Failures = []Failure{NoCertificate, WrongAuthority, WrongName, WrongHash, Expired, NotYetValid}

// Counters of a listener besides those of failures, by Envoy's names: whole
// handshakes, and those among them without a certificate of the client.
const (
	CounterHandshake     = "ssl.handshake"
	CounterNoCertificate = "ssl.no_certificate"
)

// Counters are the names that a failure is counted under: one of its own, and
// Envoy's where Envoy has only a wider one (Envoy, listener statistics, TLS).
func (f Failure) Counters() []string {
	own := "ssl.fail_verify_" + string(f)
	if f == Expired || f == NotYetValid {
		return []string{own, "ssl.fail_verify_" + string(WrongAuthority)}
	}
	return []string{own}
}

// VerifyError is a peer's refusal. Handshake's error wraps it on the side that
// refused; the other side sees an alert.
type VerifyError struct {
	Failure Failure
	Detail  string // for people: which names, which time
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("peer refused (%s): %s", e.Failure, e.Detail)
}

func refuse(f Failure, format string, args ...any) error {
	return &VerifyError{f, fmt.Sprintf(format, args...)}
}
