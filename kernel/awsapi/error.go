package awsapi

import (
	"errors"
	"fmt"
)

// Error is an error of an AWS API, as clients see it. A service declares its
// errors in errors.go; a Client returns them.
type Error struct {
	Code    string         // "ClusterNotFoundException"; the model may give it another name on the wire
	Message string         // for people
	Status  int            // HTTP status; 0 takes the model's, or 400
	Fields  map[string]any // further members of the error's shape, by wire name
}

// Error is "Code: Message".
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Is reports whether target is an *Error with the same code and, when target
// has one, the same message. So errors.Is(err, ErrClusterNotFound) holds for
// every instance of that error.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Message == "" || t.Message == e.Message)
}

// Errorf makes an Error. Status 0 takes what the model says of the code.
func Errorf(code string, status int, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

// ErrInvalidToken is what Page returns for a paging token that it did not make.
// The Mux words it the way the called service does.
var ErrInvalidToken = errors.New("invalid paging token")
