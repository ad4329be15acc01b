package awsapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slipway-dev/slipway/kernel/awsapi/codec"
)

// invalid words broken constraints the way the service does. Services report
// all that is wrong in one message, but for EC2 and CloudWatch, which stop at
// the first.
func invalid(s *Service, found []codec.Violation) error {
	first := found[0]
	code := s.words.Validation
	if first.Rule == codec.Required {
		code = s.words.Missing
	}
	switch s.words.Style {
	case "ec2":
		return Errorf(code, http.StatusBadRequest, "%s", ec2Words(first))
	case "parameter":
		if first.Rule == codec.Required {
			return Errorf(code, http.StatusBadRequest, "The parameter %s is required.", pascal(first.Path))
		}
	case "ecs":
		if m := ecsWords(first); m != "" {
			return Errorf(code, http.StatusBadRequest, "%s", m)
		}
	case "ecr":
		if first.Rule != codec.Required {
			return Errorf(code, http.StatusBadRequest, "Invalid parameter at '%s' failed to satisfy constraint: '%s'", first.Path, strings.TrimPrefix(constraint(first), "Member "))
		}
	}
	all := make([]string, len(found))
	for i, v := range found {
		value := "'" + v.Value + "'"
		if v.Rule == codec.Required {
			value = "null"
		}
		all[i] = fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value, v.Path, constraint(v))
	}
	plural := "s"
	if len(all) == 1 {
		plural = ""
	}
	return Errorf(code, http.StatusBadRequest, "%d validation error%s detected: %s", len(all), plural, strings.Join(all, "; "))
}

// constraint names a broken rule in the words that most services share.
func constraint(v codec.Violation) string {
	switch v.Rule {
	case codec.Required:
		return "Member must not be null"
	case codec.MinLength:
		return "Member must have length greater than or equal to " + v.Limit
	case codec.MaxLength:
		return "Member must have length less than or equal to " + v.Limit
	case codec.MinValue:
		return "Member must have value greater than or equal to " + v.Limit
	case codec.MaxValue:
		return "Member must have value less than or equal to " + v.Limit
	case codec.Enumerated:
		return "Member must satisfy enum value set: [" + strings.Join(v.Enum, ", ") + "]"
	}
	return "Member must satisfy regular expression pattern: " + v.Limit
}

func ecsWords(v codec.Violation) string {
	switch v.Rule {
	case codec.Required:
		return pascal(v.Path) + " can not be blank."
	case codec.Enumerated:
		return lastPart(v.Path) + " include should be one of [" + strings.Join(v.Enum, ",") + "]"
	}
	return ""
}

func ec2Words(v codec.Violation) string {
	switch v.Rule {
	case codec.Required:
		return "The request must contain the parameter " + pascal(v.Path)
	case codec.MinValue, codec.MinLength:
		return fmt.Sprintf("Value ( %s ) for parameter %s is invalid. Expecting a value greater than or equal to %s.", v.Value, lastPart(v.Path), v.Limit)
	case codec.MaxValue, codec.MaxLength:
		return fmt.Sprintf("Value ( %s ) for parameter %s is invalid. Expecting a value less than or equal to %s.", v.Value, lastPart(v.Path), v.Limit)
	}
	return fmt.Sprintf("Invalid value '%s' for %s", v.Value, pascal(v.Path))
}

// lastPart is the member at the end of a path, leaving out list positions.
func lastPart(path string) string {
	parts := strings.Split(path, ".")
	for i := len(parts) - 1; i > 0; i-- {
		if p := parts[i]; p != "member" && strings.Trim(p, "0123456789") != "" {
			return p
		}
	}
	return parts[0]
}

func pascal(path string) string {
	name := lastPart(path)
	return strings.ToUpper(name[:1]) + name[1:]
}

// unreadable words a message that could not be decoded.
func unreadable(x *exchange, err error) error {
	e, ok := errors.AsType[*codec.DecodeError](err)
	if !ok {
		return err
	}
	switch x.protocol {
	case query:
		return Errorf("MalformedInput", http.StatusBadRequest, "%s", e.Error())
	case ec2Query:
		if e.Path == "" {
			return Errorf("InvalidRequest", http.StatusBadRequest, "%s", e.Message)
		}
		return Errorf("InvalidParameterValue", http.StatusBadRequest, "Invalid value for parameter %s: %s", pascal(e.Path), e.Message)
	case restXML:
		return Errorf("MalformedXML", http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema")
	}
	return Errorf("SerializationException", http.StatusBadRequest, "%s", e.Message)
}

// unimplemented answers an operation that the engine does not have. It never
// pretends: the code is the one AWS has for unknown operations, and the message
// names the operation.
func unimplemented(x *exchange) error {
	name := x.name
	if name == "" {
		name = x.r.Method + " " + x.r.URL.Path
	}
	message := fmt.Sprintf("%s of %s is not implemented by this engine", name, x.service.name)
	if x.service.model.Operations[x.name] == nil {
		message = fmt.Sprintf("%s is not an operation of %s known to this engine", name, x.service.name)
	}
	return notServed(x.protocol, message)
}

// unknownService answers for a service that the engine does not have at all.
func unknownService(x *exchange, name string) error {
	if x.authErr != nil && name == "" {
		return authError(x, x.authErr)
	}
	return notServed(x.protocol, fmt.Sprintf("%q is not a service implemented by this engine", name))
}

func notServed(p protocol, message string) error {
	switch p {
	case query, ec2Query:
		return Errorf("InvalidAction", http.StatusBadRequest, "%s", message)
	case restXML:
		return Errorf("NotImplemented", http.StatusNotImplemented, "%s", message)
	case restJSON:
		return Errorf("UnknownOperationException", http.StatusNotFound, "%s", message)
	}
	return Errorf("UnknownOperationException", http.StatusBadRequest, "%s", message)
}
