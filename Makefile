# `make help` explains the targets.

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
DATA    ?=

# The same flags everywhere, so that tests, lint and build share what is compiled.
# Tracing in gRPC uses templates, because of which the linker keeps every method of every type.
export CGO_ENABLED ?= 0
export GOFLAGS     := $(filter-out -trimpath -tags=grpcnotrace,$(GOFLAGS)) -trimpath -tags=grpcnotrace

.DEFAULT_GOAL := build

BUILD := $(GO) build -ldflags '-s -w -funcalign=16 -X main.version=$(VERSION)' -o bin/

.PHONY: build
build: server drivers ## Build the web console, bin/mcic and a bin/mcic-driver-<cloud> for every cloud

.PHONY: server
server: console ## Build the web console and bin/mcic, which has the Mock cloud
	$(BUILD) ./cmd/mcic

.PHONY: drivers
drivers: ## Build bin/mcic-driver-<cloud> for every cloud
	$(BUILD) ./cmd/mcic-driver-*

driver-%: ## Build bin/mcic-driver-<cloud> for one cloud, such as driver-aws
	$(BUILD) ./cmd/mcic-$@

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

# What is built depends on all of web/, so that it is built again only when that has changed.
CONSOLE := internal/console/dist/index.html

.PHONY: console
console: ## Build the web console into internal/console/dist (needs Node; without it that is left out)
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(CONSOLE); \
	else echo '!!! npm is not there: mcic is built without its web console'; fi

$(CONSOLE): web/node_modules/.package-lock.json docs/openapi.json $(shell find web -type f -not -path 'web/node_modules/*' -not -path 'web/src/api/schema.d.ts' -not -path 'web/test-results/*' 2>/dev/null)
	cd web && npm run build
	gzip -9nf internal/console/dist/assets/*

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

.PHONY: run
run: server ## Build the server, then serve at http://127.0.0.1:1024 with the Mock cloud registered (state in DATA=folder)
	bin/mcic server --dev $(if $(DATA),--data $(DATA))

.PHONY: test
test: build ## Run every test; those that lack PostgreSQL, Python, Node or Chromium say so and are skipped
	$(GO) test -timeout 20m ./...
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory test-console; \
	else echo '!!! SKIPPED: the tests of the web console, because npm is not there'; fi

CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser)

.PHONY: test-console
test-console: build ## Run the tests of the web console, in Chromium if it is there
	cd web && npm test
	@if test -n "$(CHROMIUM)"; then cd web && CHROMIUM="$(CHROMIUM)" npm run e2e; \
	elif test -n "$$MCIC_REQUIRE_CHROMIUM"; then echo 'Chromium is not there'; exit 1; \
	else echo '!!! SKIPPED: the tests of the web console in a browser, because Chromium is not there'; fi

# The conformance suite checks one kind after the other, and waits for services more than it keeps the machine
# busy. So a second run has some kinds while the first has the others and all other tests. SKIP leaves tests out,
# such as SKIP='TestConformance/^cluster$$'. The half with the cloud in trouble is run for security groups and
# disks, unless TROUBLE is all.
SKIP    ?=
TROUBLE ?=
BESIDE  := TestConformance/^(customimage|nlb|cluster)

.PHONY: test-openstack
test-openstack: ## Start a real OpenStack on the loopback address, test its driver, stop it (Debian 12, root, 3 GB); TROUBLE=all for all
	MCIC_TROUBLE='$(TROUBLE)' test/openstack/cloud.sh run sh -c '\
		test="$(GO) test -timeout 120m -count 1 -parallel 8"; \
		$$test -run "$(BESIDE)" $(if $(SKIP),-skip "$(SKIP)") ./drivers/openstack & \
		$$test -skip "$(BESIDE)$(if $(SKIP),|$(SKIP))" ./drivers/openstack/... ./test/openstack/...; status=$$?; \
		wait $$! && exit $$status'

.PHONY: conformance
conformance: ## Run the whole conformance suite for every driver, also with every kind's cloud in trouble; MCIC_UPDATE=1 writes the reports
	$(GO) test -timeout 60m -count 1 -run '^TestConformance$$' ./drivers/mock
	$(GO) test -timeout 60m -count 1 -run '^TestConformance$$' ./drivers/aws
	$(MAKE) --no-print-directory test-openstack TROUBLE=all

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
	$(GO) run ./test/crash -db sqlite -kills 100 -changes 0 -clusters 1000

# The versions of the driver protocol as they were when they were released.
FROZEN := proto/frozen.json

.PHONY: lint
lint: ## Check the code: golangci-lint with the layers of docs/architecture.md, format, protocol
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run --allow-serial-runners ./...
	@unformatted="$$($(TOOL) gofumpt -l .)"; test -z "$$unformatted" || { echo "not formatted; run make fmt:" $$unformatted; exit 1; }
	$(TOOL) buf lint
	@if test -e $(FROZEN); then $(TOOL) buf breaking --against $(FROZEN); \
	else echo 'no version of the driver protocol is frozen yet: nothing to compare with'; fi
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-console; \
	else echo '!!! SKIPPED: the check of web/, because npm is not there'; fi

.PHONY: lint-console
lint-console: web/node_modules/.package-lock.json ## Check the web console's source: format, rules, types, texts
	cd web && npm run check

.PHONY: fmt
fmt: ## Format the code
	$(TOOL) gofumpt -w .
	$(TOOL) buf format -w
	@if test -d web/node_modules; then cd web && npm run format; fi

.PHONY: generate
generate: ## Write all generated files anew; CI checks that this changes nothing
	$(TOOL) buf generate
	$(GO) generate ./...

.PHONY: clean
clean: ## Remove what was built (not the data folder)
	rm -rf bin build web/node_modules
	find internal/console/dist -mindepth 1 ! -name .gitkeep -delete

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z%-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
