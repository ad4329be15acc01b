// Package codec turns the bytes of AWS's wire protocols into Go structs and
// back, guided by API models.
//
// A Plan joins a shape of the model to a Go type once; after that every
// message of that shape is decoded, validated and encoded through it.
// Decoding has two steps: a parser (JSON, Query, XML, CBOR) makes a tree of
// plain values, and Bind moves the tree into the struct under the names that
// the protocol uses. Encoding walks the struct directly.
//
// Parsers stand at a trust boundary: they bound depth, refuse what does not
// fit the type, and are fuzzed. Plans are immutable once made and safe for
// concurrent use.
package codec

// Protocol selects the names that members have on the wire.
type Protocol uint8

// The families of names. The two JSON versions and rest-json share JSON.
const (
	JSON  Protocol = iota // also rest-json
	Query                 // form bodies of AWS query
	EC2                   // form bodies of EC2 query
	XML                   // rest-xml, and the answers of both query protocols
	CBOR                  // rpc-v2-cbor
	protocols
)

// DecodeError says that a message could not be read as the model demands. Path
// leads to the member, in the wording of the client ("tags.1.key"); it is empty
// when the message as a whole is malformed.
type DecodeError struct {
	Path    string
	Message string
}

// Error is the message with its path.
func (e *DecodeError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// maxDepth bounds the nesting of any message. The deepest model nests under 40
// levels; DynamoDB allows 32 of its own, three of ours each.
const maxDepth = 160
