package awsapi

import (
	"net/http"
	"net/url"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv2"
	"github.com/slipway-dev/slipway/kernel/awsapi/sigv4"
)

// protocol is how one request and its answer are written.
type protocol uint8

const (
	jsonRPC  protocol = iota // awsJson1.0, awsJson1.1
	cborRPC                  // rpc-v2-cbor
	query                    // awsQuery
	ec2Query                 // ec2Query
	restJSON                 // restJson1
	restXML                  // restXml, which is S3's
)

// names is the family of member names that the protocol reads.
func (p protocol) names() codec.Protocol {
	return [...]codec.Protocol{codec.JSON, codec.CBOR, codec.Query, codec.EC2, codec.JSON, codec.XML}[p]
}

// exchange is one request on its way to its answer.
type exchange struct {
	w  http.ResponseWriter
	r  *http.Request
	id string

	protocol    protocol
	jsonVersion string // "1.0" or "1.1"
	queryMode   bool   // the client wants x-amzn-query-error

	service   *Service   // nil: not served here
	name      string     // of the operation, as far as it could be told
	operation *operation // nil: not implemented
	unsigned  bool       // the model lets the operation come unsigned

	auth    sigv4.Auth
	authErr error
	old     *sigv2.Auth // instead: a presigned URL of version 2, for S3

	body   []byte            // unless it is streamed
	form   url.Values        // of the query protocols
	labels map[string]string // of the path in the REST protocols

	answered bool // the status is written: an error can only cut the answer off
}

// streams reports whether the operation reads the body itself.
func (x *exchange) streams() bool {
	if x.operation == nil || x.operation.model.Input == nil {
		return false
	}
	shape := x.operation.model.Input.Shape
	payload := shape.Members.Get(shape.Payload)
	return payload != nil && (payload.Streaming || payload.Shape.Streaming)
}
