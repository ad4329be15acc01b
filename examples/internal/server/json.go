package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// maxBody bounds a request's body: 64 KiB.
const maxBody = 64 << 10

// Problem is an error's answer (RFC 9457, application/problem+json).
type Problem struct {
	Type    string       `json:"type"` // about:blank: the status says it all
	Title   string       `json:"title"`
	Status  int          `json:"status"`
	Detail  string       `json:"detail,omitempty"`
	Request string       `json:"request,omitempty"` // the request's id, to be found in the logs
	Errors  []FieldError `json:"errors,omitempty"`  // what is wrong with each field
}

// FieldError is what is wrong with one field of the input.
type FieldError struct {
	Field  string `json:"field"` // JSON pointer, such as /items/0/sku
	Detail string `json:"detail"`
}

// WriteJSON answers with a JSON document.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	writeJSON(w, status, "application/json", body)
}

// Fail answers with a problem.
func Fail(w http.ResponseWriter, r *http.Request, status int, detail string, fields ...FieldError) {
	writeJSON(w, status, "application/problem+json", Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Request: RequestID(r.Context()), Errors: fields,
	})
}

func writeJSON(w http.ResponseWriter, status int, kind string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("answer is no JSON: %v", err)) // our own types
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // the client may have gone
}

// ReadJSON decodes a request's body strictly into in. When it cannot, it answers and returns false.
func ReadJSON(w http.ResponseWriter, r *http.Request, in any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Header.Get("Content-Type") != "" && (err != nil || kind != "application/json" && kind != "application/x-www-form-urlencoded") {
		// curl -d says form data when nobody tells it otherwise; the body decides
		Fail(w, r, http.StatusUnsupportedMediaType, "send application/json")
		return false
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(in)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON document")
		}
	}
	var (
		tooLarge *http.MaxBytesError
		wrong    *json.UnmarshalTypeError
	)
	switch {
	case err == nil:
		return true
	case errors.As(err, &tooLarge):
		Fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("at most %d bytes", maxBody))
	case errors.As(err, &wrong):
		Fail(w, r, http.StatusBadRequest, fmt.Sprintf("%s: want %s, got %s", wrong.Field, wrong.Type, wrong.Value))
	case errors.Is(err, io.EOF):
		Fail(w, r, http.StatusBadRequest, "the body is empty; send a JSON object")
	default:
		Fail(w, r, http.StatusBadRequest, "not readable: "+err.Error())
	}
	return false
}
