# Slipway. `make help` lists the targets.
GO ?= go
BIN := bin/slipway
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/slipway-dev/slipway/cli.Version=$(VERSION)
TOOL := $(GO) tool -modfile=tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help up down build test test-all bench image compatibility lint fmt gen deps deps-test clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: deps build ## install what is missing, build, start the engine, deploy the platform, print its addresses
	@$(BIN) up

down: ## delete the platform, stop the engine, leave nothing behind
	@if [ -x $(BIN) ]; then $(BIN) down --all; else echo "nothing is built, so nothing runs"; fi

build: ## build bin/slipway and the sidecar beside it
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/slipway
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/slipway-proxy ./cmd/slipway-proxy

test: deps-test build ## install what the tests need and run them all
	$(GO) vet ./...
	$(GO) test -race -timeout 40m ./...
	cd tests/clients/gosdk && $(GO) test ./...
	cd tests/clients/xds && $(GO) test ./...

test-all: test ## and the long stories: properties in 10,000 cases, updates and kills many times over
	$(GO) test -count=1 ./control/rollout -run 'Promises|Restores' -rapid.checks=10000
	$(GO) test -count=1 -timeout 20m ./tests -run TestUpdatesLoseNoRequest -v -updates 10
	$(GO) test -count=1 -timeout 20m ./tests -run TestKilledAtRandom -v -chaos 50
	$(GO) test -count=1 -timeout 30m ./tests -run TestDeploymentsKilledAtRandom -v -chaos 200

bench: deps-test build ## print the figures: load balancer, API, start, memory
	@$(GO) run ./bench

image: deps build ## write a container image of the engine to bin/slipway.tar, without Docker
	@$(BIN) image --output bin/slipway.tar

compatibility: export SLIPWAY_RECORD = $(abspath bin/calls.tsv)
compatibility: deps-test build ## run the clients' stories and write design/compatibility.md of what they show
	rm -f $(SLIPWAY_RECORD)
	$(GO) test -count=1 -timeout 30m ./tests ./tests/clients
	cd tests/clients/gosdk && $(GO) test -count=1 ./...
	$(GO) run ./tests/compatibility -record $(SLIPWAY_RECORD)

lint: ## vet, staticcheck, golangci-lint
	$(GO) vet ./...
	$(TOOL) golangci-lint run ./...

fmt: ## format every file
	$(TOOL) gofumpt -w $$(git ls-files '*.go' | grep -v '^api/.*types.go')

gen: ## regenerate the API types and the manifest's schema
	$(GO) generate ./api/... ./manifest/...

deps: ## install what running needs: runc, uidmap, tini
	@sh .ci/install run

deps-test: ## install what the tests need besides: skopeo, haproxy, nginx...
	@sh .ci/install test

clean: ## remove what was built
	rm -rf bin cdk.out
