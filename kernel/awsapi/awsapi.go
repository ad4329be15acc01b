// Package awsapi speaks the wire protocols of AWS, as a server and as a client.
//
// A Service is an API model (package api) with the operations that are
// implemented; a Mux routes a signed HTTP request to one of them, verifies the
// signature, decodes and validates the input, calls the handler and encodes
// its answer or its error the way AWS does, in the protocol the client chose.
// A Client does the reverse. Handlers see typed Go structs and a Caller, never
// HTTP.
//
// Invariants: an operation that is not implemented answers with AWS's error
// and says so; a handler that panics costs one request, never the process; no
// handler runs unless the signature held (or the model lets the operation come
// unsigned).
package awsapi
