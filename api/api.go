// Package api holds the contracts of the AWS services: pruned API models as
// data, and below it one package of Go types per service, generated from them
// (ecsapi, ec2api, ...).
//
// The models derive from botocore's and are under the Apache License 2.0; see
// LICENSE and NOTICE in this folder. Only the standard library is imported.
// Regenerate both with "go generate ./api", which wants a Python with botocore.
package api

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/slipway-dev/slipway/api/model"
)

//go:generate go run ./internal/prune -ops ops.json -out models
//go:generate go run ./internal/gen -out . -table ../kernel/awsapi/operations_test.go

//go:embed models/*.json.gz
var files embed.FS

// Names lists the services that have a model, such as "ecs" or
// "application-autoscaling", in alphabetical order.
func Names() []string {
	entries, err := files.ReadDir("models")
	if err != nil {
		panic("api: embedded models are missing: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".json.gz")
	}
	return names
}

// Model loads the model of one service. The caller owns the result.
func Model(name string) (*model.Service, error) {
	data, err := files.ReadFile("models/" + name + ".json.gz")
	if err != nil {
		return nil, fmt.Errorf("no API model named %q", name)
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read API model %s: %w", name, err)
	}
	raw, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("read API model %s: %w", name, err)
	}
	return model.Load(raw)
}
