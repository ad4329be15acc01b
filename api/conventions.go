package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

// Conventions are the words a service uses for failures that its model does not
// name: the same broken constraint is an InvalidParameterException for ECS and
// a ValidationError for IAM. Observed at AWS.
type Conventions struct {
	Validation string `json:"validation"` // code of a broken constraint
	Missing    string `json:"missing"`    // code of a missing required value
	Style      string `json:"style"`      // how constraints are worded: "", ecs, ecr, ec2, parameter
	Internal   string `json:"internal"`   // code of a failure of the service itself
	Token      struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"token"` // a paging token that is not the service's
}

//go:embed conventions.json
var conventions []byte

var parseConventions = sync.OnceValue(func() map[string]Conventions {
	var all map[string]Conventions
	if err := json.Unmarshal(conventions, &all); err != nil {
		panic(fmt.Sprintf("api: conventions.json: %v", err))
	}
	return all
})

// ConventionsOf returns the words of a service; what it does not set follows
// from its protocol.
func ConventionsOf(service, protocol string) Conventions {
	c := parseConventions()[service]
	if c.Validation == "" {
		c.Validation = map[string]string{"query": "ValidationError", "rest-json": "BadRequestException"}[protocol]
	}
	if c.Validation == "" {
		c.Validation = "ValidationException"
	}
	if c.Missing == "" {
		c.Missing = c.Validation
	}
	if c.Internal == "" {
		c.Internal = "InternalFailure"
	}
	if c.Token.Code == "" {
		c.Token.Code, c.Token.Message = c.Validation, "The paging token is not valid."
	}
	return c
}
