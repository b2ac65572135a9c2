# millrace: the commands of a working day. `make` alone builds.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GO      ?= go

# The parts (SDKs, PostgreSQL) that tests look for; tools/parts prepares them.
export MILLRACE_PARTS := $(CURDIR)/build/parts

.PHONY: build run test test-quick bench bench-memory lint fmt generate tools clean

build: ## bin/millrace, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/millrace ./cmd/millrace

run: build ## build and serve on the default ports, data in ./millrace-data
	./bin/millrace serve $(ARGS)

test: ## everything; some twenty minutes
	$(GO) run ./tools/suite

test-quick: ## build, lint, units and contract suites; at most four minutes
	$(GO) run ./tools/suite -quick

bench: build ## against the floor, kinesalite, Apache Kafka, DynamoDB Local and dynoxide (compiled the first time), with bars
	$(GO) run ./tools/parts kinesalite kafka-java dynamodb-local dynoxide
	$(GO) run ./test/bench $(ARGS)

bench-memory: build ## ten minutes at full load, resident memory over time
	$(GO) run ./test/bench -memory 10m $(ARGS)

lint: tools ## the linters of STYLE.md
	$(GO) run ./tools/suite -only '^lint$$'

fmt: tools ## gofumpt and goimports, local imports last
	build/tools/gofumpt -w -modpath millrace .
	build/tools/goimports -local millrace -w $$(git ls-files '*.go')

generate: ## internal/api from the pinned service models and Kafka's message definitions
	$(GO) run ./tools/parts python botocore kafka-definitions
	$(GO) generate ./...

tools:
	@$(GO) run ./tools/parts tools

clean: ## what was built and fetched, not your data
	rm -rf bin build
