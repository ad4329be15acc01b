#!/bin/sh
# Regenerates xds.proto from Envoy's API as tools/go.mod pins it, and xds.pb.go from that. Needs protoc (Debian: protobuf-compiler).
set -eu
cd "$(dirname "$0")"
(cd ../../tools && go run ./xdsmodel) > xds.proto.new && mv xds.proto.new xds.proto
plugin=$(mktemp -d)
trap 'rm -rf "$plugin"' EXIT
(cd ../../tools && go build -o "$plugin/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go)
PATH="$plugin:$PATH" protoc --go_out=. --go_opt=paths=source_relative xds.proto
