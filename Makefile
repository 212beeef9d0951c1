# Everything that a developer or CI runs. `make help` explains it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BIN := node_modules/.bin
# The Node that package.json pins runs everything, whatever the machine has.
export PATH := $(CURDIR)/$(BIN):$(PATH)
ENVOY_VERSION := 1.40.0
SCHEMATHESIS_VERSION := 4.32.5
SCHEMATHESIS := .tools/schemathesis-$(SCHEMATHESIS_VERSION)/bin/st
ENVOY := .tools/envoy-$(ENVOY_VERSION)/bin/envoy

.PHONY: help run demo test check jest schemathesis build gen gen-check fmt lint typecheck bench bench-admin bench-decide bench-keys bench-policy clean tools

help: ## Show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

run: build ## Serve the documented policy with memory counters and print calls to try
	@scripts/run

demo: build tools ## Start Redis, an origin, Headroom and Envoy on localhost and print a call to try
	@node scripts/demo.ts

test: tools check ## Install what the tests need (Redis, Envoy) and run everything; what CI runs

check: lint typecheck gen-check build jest ## Lint, types, stale generated code, build, all tests

jest: build ## Run the tests alone; ARGS go to jest: make jest ARGS=plan
	@node scripts/test.ts $(ARGS)

schemathesis: build $(SCHEMATHESIS) ## Send property-based requests made from /openapi.json (installs schemathesis; two minutes)
	@node scripts/schemathesis.ts $(CURDIR)/$(SCHEMATHESIS) $(ARGS)

build: node_modules/.installed ## Compile into dist/
	@rm -rf dist
	@tsc -p tsconfig.build.json
	@cp src/adapters/redis/*.lua dist/adapters/redis/

gen: node_modules/.installed ## Generate code from proto/, the policy file's JSON Schema and the table of variables
	@buf generate
	@node scripts/policy-schema.ts
	@node scripts/configuration-table.ts

gen-check: node_modules/.installed ## Fail if generated files are stale or the protos break buf's rules
	@buf lint
	@scripts/gen-check

fmt: node_modules/.installed ## Format and apply safe fixes
	@biome check --write .
	@buf format --write

lint: node_modules/.installed ## Check format, lint rules and sizes
	@biome check --error-on-warnings .
	@buf format --diff --exit-code
	@scripts/check-sizes

typecheck: node_modules/.installed ## Check all types, tests and scripts included
	@tsc -p tsconfig.json

bench: build ## Measure CPU per decision beside a yardstick in the same run
	@node bench/run.ts $(ARGS)

bench-admin: build ## Measure how many API keys a second POST /v1/keys creates (1 minute)
	@node bench/admin.ts $(ARGS)

bench-decide: node_modules/.installed ## Measure the decision alone, in one process and without any wire (half a minute)
	@node bench/decide.ts $(ARGS)

bench-keys: node_modules/.installed ## Measure a registry of a million API keys (2 to 4 minutes); ARGS=100000 for fewer
	@node bench/keys.ts $(ARGS)

bench-policy: node_modules/.installed ## Measure how long policies of 10 to 100,000 rules take to load and to match (1 minute)
	@node bench/load-policy.ts $(ARGS)
	@node bench/match-policy.ts

clean: ## Remove everything that was built or installed
	@rm -rf dist node_modules .tools coverage

tools: node_modules/.installed $(ENVOY) ## Install redis-server, openssl and Envoy where they are missing
	@scripts/install-packages

node_modules/.installed: package.json package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SCHEMATHESIS):
	@scripts/install-schemathesis $(SCHEMATHESIS_VERSION)

$(ENVOY):
	@scripts/install-envoy $(ENVOY_VERSION)
