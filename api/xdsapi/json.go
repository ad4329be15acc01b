package xdsapi

import (
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// JSON is a message as Envoy's config dumps write it, with what its Anys hold.
func JSON(m proto.Message) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true, Resolver: resolver{protoregistry.GlobalTypes}}.Marshal(m)
}

// resolver finds the messages of this package by Envoy's names.
type resolver struct{ *protoregistry.Types }

func (r resolver) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	for own, envoy := range names {
		if strings.TrimPrefix(url, prefix) == envoy {
			return r.Types.FindMessageByName(protoreflect.FullName("slipway.xds.v3." + own))
		}
	}
	return r.Types.FindMessageByURL(url)
}
