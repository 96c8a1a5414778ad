# `make help` explains the targets.

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DATA    ?=

# The same flags everywhere, so that tests, lint and build share what is compiled.
export CGO_ENABLED ?= 0
export GOFLAGS     := $(filter-out -trimpath,$(GOFLAGS)) -trimpath

.DEFAULT_GOAL := build

.PHONY: build
build: ## Build bin/mcic and a bin/mcic-driver-<cloud> for every cloud
	$(GO) build -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/...

.PHONY: repository
repository: build ## Pack the drivers of bin/ into the repository beside mcic, signed with a key made for it
	@test -e build/repository.key || { mkdir -p build && bin/mcic driver keygen build/repository.key; }
	@for driver in bin/mcic-driver-*; do \
		name=$${driver#bin/mcic-driver-}; sum="$$(cksum <$$driver)"; \
		if test "$$sum" != "$$(cat bin/repository/$$name.sum 2>/dev/null)"; then \
			bin/mcic driver package --build $$($(GO) env GOOS)/$$($(GO) env GOARCH)=$$driver --to build/dist --license Apache-2.0 && \
			bin/mcic driver publish $$name --from build/dist --to bin/repository --key build/repository.key --replace && \
			echo "$$sum" >bin/repository/$$name.sum || exit 1; \
		fi; \
	done
	@cp build/repository.key.pub bin/repository.pub

.PHONY: run
run: repository ## Build, then serve at http://127.0.0.1:1024 with the Mock cloud registered (state in DATA=folder)
	bin/mcic server --dev $(if $(DATA),--data $(DATA))

.PHONY: test
test: ## Run every test; those that lack PostgreSQL or Python say so and are skipped
	$(GO) test -timeout 20m ./...

.PHONY: test-openstack
test-openstack: ## Start a real OpenStack on the loopback address, test its driver on it, stop it (Debian 12, root, 3 GB)
	test/openstack/cloud.sh run $(GO) test -timeout 20m -count 1 ./drivers/openstack/... ./test/openstack/...

RACE ?= ./resource/... ./driver/... ./client/... ./internal/... ./drivers/mock/... ./docs/...

.PHONY: race
race: ## Run the tests under the race detector, without the cloud SDKs (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m $(RACE)

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## Look for input that breaks decoding and validation, FUZZTIME=30s for each fuzz test
	$(GO) test -run '^$$' -fuzz FuzzParseCreate -fuzztime $(FUZZTIME) ./resource
	$(GO) test -run '^$$' -fuzz FuzzParseFlag -fuzztime $(FUZZTIME) ./resource

.PHONY: bench
bench: build ## Measure speed and memory with the Mock cloud (docs/performance.md has the figures)
	$(GO) run ./test/bench

.PHONY: crashtest
crashtest: ## Kill servers, drivers and databases at random under load and compare records with clouds
	$(GO) run ./test/crash -db sqlite -kills 300 -changes 2000
	$(GO) run ./test/crash -db postgres -kills 300 -changes 2000

.PHONY: lint
lint: ## Check the code: golangci-lint with the layers of docs/architecture.md, format, protocol
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run --allow-serial-runners ./...
	@unformatted="$$($(TOOL) gofumpt -l .)"; test -z "$$unformatted" || { echo "not formatted; run make fmt:" $$unformatted; exit 1; }
	$(TOOL) buf lint

.PHONY: fmt
fmt: ## Format the code
	$(TOOL) gofumpt -w .
	$(TOOL) buf format -w

.PHONY: generate
generate: ## Write all generated files anew; CI checks that this changes nothing
	$(TOOL) buf generate
	$(GO) generate ./...

.PHONY: clean
clean: ## Remove what was built (not the data folder)
	rm -rf bin build

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
