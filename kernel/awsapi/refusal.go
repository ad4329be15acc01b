package awsapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// reason is why a request is not let in.
type reason uint8

const (
	missing reason = iota
	unknownKey
	mismatch
	badToken
	expiredToken
	bodyMismatch
)

// words are the code, status and message of a refusal.
type words struct {
	code    string
	status  int
	message string
}

const (
	invalidToken = "The security token included in the request is invalid."
	expired      = "The security token included in the request is expired"
	noMatch      = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	noMatchS3    = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	notValidated = "AWS was not able to validate the provided access credentials"
)

// refusals are AWS's words by protocol, as recorded from the services.
var refusals = map[protocol]map[reason]words{
	jsonRPC: {
		missing:      {"MissingAuthenticationTokenException", 400, "Missing Authentication Token"},
		unknownKey:   {"UnrecognizedClientException", 400, invalidToken},
		mismatch:     {"InvalidSignatureException", 400, noMatch},
		badToken:     {"UnrecognizedClientException", 400, invalidToken},
		expiredToken: {"ExpiredTokenException", 400, expired},
		bodyMismatch: {"InvalidSignatureException", 400, noMatch},
	},
	restJSON: {
		missing:      {"MissingAuthenticationTokenException", 403, "Missing Authentication Token"},
		unknownKey:   {"UnrecognizedClientException", 403, invalidToken},
		mismatch:     {"InvalidSignatureException", 403, noMatch},
		badToken:     {"UnrecognizedClientException", 403, invalidToken},
		expiredToken: {"ExpiredTokenException", 403, expired},
		bodyMismatch: {"InvalidSignatureException", 403, noMatch},
	},
	query: {
		missing:      {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
		unknownKey:   {"InvalidClientTokenId", 403, invalidToken},
		mismatch:     {"SignatureDoesNotMatch", 403, noMatch},
		badToken:     {"InvalidClientTokenId", 403, invalidToken},
		expiredToken: {"ExpiredToken", 403, expired},
		bodyMismatch: {"SignatureDoesNotMatch", 403, noMatch},
	},
	ec2Query: {
		missing:      {"MissingParameter", 400, "The request must contain the parameter AWSAccessKeyId"},
		unknownKey:   {"AuthFailure", 401, notValidated},
		mismatch:     {"AuthFailure", 401, notValidated},
		badToken:     {"AuthFailure", 401, notValidated},
		expiredToken: {"RequestExpired", 400, "Request has expired."},
		bodyMismatch: {"AuthFailure", 401, notValidated},
	},
	restXML: {
		missing:      {"AccessDenied", 403, "Access Denied"},
		unknownKey:   {"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
		mismatch:     {"SignatureDoesNotMatch", 403, noMatchS3},
		badToken:     {"InvalidToken", 400, "The provided token is malformed or otherwise invalid."},
		expiredToken: {"ExpiredToken", 400, "The provided token has expired."},
		bodyMismatch: {"XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
	},
}

func refusal(x *exchange, why reason) *Error {
	p := x.protocol
	if p == cborRPC {
		p = jsonRPC
	}
	w := refusals[p][why]
	return Errorf(w.code, w.status, "%s", w.message)
}

// authError words a signature that could not be read.
func authError(x *exchange, err error) error {
	if errors.Is(err, sigv4.ErrMissing) {
		return refusal(x, missing)
	}
	switch x.protocol {
	case query, ec2Query:
		return Errorf("IncompleteSignature", http.StatusBadRequest, "%s", err.Error())
	case restXML:
		return Errorf("AuthorizationHeaderMalformed", http.StatusBadRequest, "The authorization header is malformed; %s", err.Error())
	case restJSON:
		return Errorf("IncompleteSignatureException", http.StatusForbidden, "%s", err.Error())
	}
	return Errorf("IncompleteSignatureException", http.StatusBadRequest, "%s", err.Error())
}

const clockFormat = "20060102T150405Z"

// tooLate is the refusal of a signature older than allowed.
func tooLate(x *exchange, now time.Time, allowed time.Duration) error {
	switch {
	case x.protocol == ec2Query:
		return Errorf("RequestExpired", http.StatusBadRequest, "Request has expired.")
	case x.protocol == restXML && x.auth.Presigned:
		return Errorf("AccessDenied", http.StatusForbidden, "Request has expired")
	case x.protocol == restXML:
		return skewed()
	}
	e := refusal(x, mismatch)
	return Errorf(e.Code, e.Status, "Signature expired: %s is now earlier than %s (%s - %d min.)",
		x.auth.Time.Format(clockFormat), now.Add(-allowed).UTC().Format(clockFormat), now.UTC().Format(clockFormat), int(allowed.Minutes()))
}

// tooEarly is the refusal of a signature from the future.
func tooEarly(x *exchange, now time.Time) error {
	switch x.protocol {
	case ec2Query:
		return Errorf("RequestExpired", http.StatusBadRequest, "Request has expired.")
	case restXML:
		return skewed()
	}
	e := refusal(x, mismatch)
	return Errorf(e.Code, e.Status, "Signature not yet current: %s is still later than %s (%s + %d min.)",
		x.auth.Time.Format(clockFormat), now.Add(skew).UTC().Format(clockFormat), now.UTC().Format(clockFormat), int(skew.Minutes()))
}

func skewed() error {
	return Errorf("RequestTimeTooSkewed", http.StatusForbidden, "The difference between the request time and the current time is too large.")
}
