// Package model reads AWS's API models: which operations a service has, what
// goes in and out, how each member is named on the wire, and what values it
// accepts.
//
// The format is botocore's service-2.json, pruned (see package api). A loaded
// Service is linked: every Ref points at its Shape. It is read-only after
// Load, so any number of goroutines may share it.
package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Service is one AWS service: its metadata, operations and shapes by name.
type Service struct {
	Metadata   Metadata              `json:"metadata"`
	Operations map[string]*Operation `json:"operations"`
	Shapes     map[string]*Shape     `json:"shapes"`
}

// Metadata says how a service is addressed and which protocols it speaks.
type Metadata struct {
	APIVersion      string          `json:"apiVersion"`
	EndpointPrefix  string          `json:"endpointPrefix"`
	SigningName     string          `json:"signingName,omitempty"`
	Protocol        string          `json:"protocol"`
	Protocols       []string        `json:"protocols,omitempty"`
	JSONVersion     string          `json:"jsonVersion,omitempty"`
	TargetPrefix    string          `json:"targetPrefix,omitempty"`
	ServiceID       string          `json:"serviceId"`
	XMLNamespace    string          `json:"xmlNamespace,omitempty"`
	QueryCompatible json.RawMessage `json:"awsQueryCompatible,omitempty"`
}

// Scope is the service part of a signature's credential scope.
func (m Metadata) Scope() string {
	if m.SigningName != "" {
		return m.SigningName
	}
	return m.EndpointPrefix
}

// Operation is one action of a service. Input and Output may be nil.
type Operation struct {
	Name     string    `json:"name"`
	HTTP     HTTP      `json:"http"`
	Input    *Ref      `json:"input,omitempty"`
	Output   *Ref      `json:"output,omitempty"`
	Errors   []*Ref    `json:"errors,omitempty"`
	AuthType string    `json:"authtype,omitempty"` // "none": may come unsigned
	Endpoint *Endpoint `json:"endpoint,omitempty"`
}

// HTTP is the method, path template and success status of an operation.
type HTTP struct {
	Method       string `json:"method"`
	RequestURI   string `json:"requestUri"`
	ResponseCode int    `json:"responseCode,omitempty"`
}

// Endpoint carries the host prefix of the operations that have one, such as
// "data-" for DiscoverInstances.
type Endpoint struct {
	HostPrefix string `json:"hostPrefix,omitempty"`
}

// Ref is a use of a shape: as a member, a list element, a map key or value,
// or an operation's input or output.
type Ref struct {
	Name             string        `json:"-"` // member name, when a member
	ShapeName        string        `json:"shape"`
	Location         string        `json:"location,omitempty"` // "", uri, querystring, header, headers, statusCode
	LocationName     string        `json:"locationName,omitempty"`
	QueryName        string        `json:"queryName,omitempty"`
	Flattened        bool          `json:"flattened,omitempty"`
	XMLAttribute     bool          `json:"xmlAttribute,omitempty"`
	XMLNamespace     *XMLNamespace `json:"xmlNamespace,omitempty"`
	TimestampFormat  string        `json:"timestampFormat,omitempty"`
	ResultWrapper    string        `json:"resultWrapper,omitempty"`
	Streaming        bool          `json:"streaming,omitempty"`
	EventPayload     bool          `json:"eventpayload,omitempty"`
	IdempotencyToken bool          `json:"idempotencyToken,omitempty"`
	HostLabel        bool          `json:"hostLabel,omitempty"`
	Shape            *Shape        `json:"-"`
}

// XMLNamespace is the namespace an XML element declares.
type XMLNamespace struct {
	Prefix string `json:"prefix,omitempty"`
	URI    string `json:"uri,omitempty"`
}

// Shape is a type of the model.
type Shape struct {
	Name            string        `json:"-"`
	Type            string        `json:"type"`
	Required        []string      `json:"required,omitempty"`
	Members         Members       `json:"members,omitempty"`
	Member          *Ref          `json:"member,omitempty"`
	Key             *Ref          `json:"key,omitempty"`
	Value           *Ref          `json:"value,omitempty"`
	Min             *float64      `json:"min,omitempty"`
	Max             *float64      `json:"max,omitempty"`
	Pattern         string        `json:"pattern,omitempty"`
	Enum            []string      `json:"enum,omitempty"`
	Flattened       bool          `json:"flattened,omitempty"`
	Payload         string        `json:"payload,omitempty"`
	Error           *Error        `json:"error,omitempty"`
	Exception       bool          `json:"exception,omitempty"`
	Fault           bool          `json:"fault,omitempty"`
	Union           bool          `json:"union,omitempty"`
	Document        bool          `json:"document,omitempty"`
	Streaming       bool          `json:"streaming,omitempty"`
	EventStream     bool          `json:"eventstream,omitempty"`
	Event           bool          `json:"event,omitempty"`
	Sensitive       bool          `json:"sensitive,omitempty"`
	TimestampFormat string        `json:"timestampFormat,omitempty"`
	LocationName    string        `json:"locationName,omitempty"`
	XMLNamespace    *XMLNamespace `json:"xmlNamespace,omitempty"`
}

// Error is what the model says of an exception shape.
type Error struct {
	Code           string `json:"code,omitempty"`
	HTTPStatusCode int    `json:"httpStatusCode,omitempty"`
	SenderFault    bool   `json:"senderFault,omitempty"`
}

// Load parses and links a model, botocore's or a pruned one. Additions are
// models of the same form that hold what it lacks: whole shapes, and members of
// shapes it has, which come last.
func Load(data []byte, additions ...[]byte) (*Service, error) {
	s := new(Service)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("parse API model: %w", err)
	}
	for _, raw := range additions {
		var more Service
		if err := json.Unmarshal(raw, &more); err != nil {
			return nil, fmt.Errorf("parse additions to API model %s: %w", s.Metadata.ServiceID, err)
		}
		s.add(more)
	}
	if err := s.link(); err != nil {
		return nil, fmt.Errorf("link API model %s: %w", s.Metadata.ServiceID, err)
	}
	return s, nil
}

func (s *Service) add(more Service) {
	for name, sh := range more.Shapes {
		have, ok := s.Shapes[name]
		if !ok {
			s.Shapes[name] = sh
			continue
		}
		for _, m := range sh.Members {
			if have.Members.Get(m.Name) == nil {
				have.Members = append(have.Members, m)
			}
		}
	}
}

// OperationNames lists the operations in alphabetical order.
func (s *Service) OperationNames() []string {
	return slices.Sorted(maps.Keys(s.Operations))
}

// link resolves every reference and fills the names.
func (s *Service) link() error {
	for name, sh := range s.Shapes {
		sh.Name = name
		if err := s.resolve(append(sh.Members.refs(), sh.Member, sh.Key, sh.Value)...); err != nil {
			return fmt.Errorf("shape %s: %w", name, err)
		}
	}
	for name, op := range s.Operations {
		op.Name = name
		if err := s.resolve(append(slices.Clone(op.Errors), op.Input, op.Output)...); err != nil {
			return fmt.Errorf("operation %s: %w", name, err)
		}
	}
	return nil
}

func (s *Service) resolve(refs ...*Ref) error {
	for _, r := range refs {
		if r == nil {
			continue
		}
		if r.Shape = s.Shapes[r.ShapeName]; r.Shape == nil {
			return fmt.Errorf("no shape %q", r.ShapeName)
		}
	}
	return nil
}
