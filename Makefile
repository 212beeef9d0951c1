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
H2SPEC := .tools/h2spec

.PHONY: help run demo test check jest schemathesis build gen gen-check fmt lint typecheck fuzz bench bench-admin bench-keys bench-policy bench-redis bench-decide profile soak clean tools

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

fuzz: build ## Send broken HTTP/2 to the running service; ARGS=minutes, one by default
	@node scripts/fuzz.ts $(ARGS)

bench: build ## Measure decisions beside yardsticks of the same run, and hold them against limits (4 minutes)
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

profile: build ## Show where the service's CPU time goes under load; ARGS='--only headroom-memory' for another variant
	@node bench/profile.ts $(ARGS)

soak: build ## Full load for ten minutes: fails on leaks and wrong answers; ARGS=60 for an hour
	@node bench/soak.ts $(ARGS)

bench-redis: node_modules/.installed ## Compare ways to ask Redis for a decision by their CPU (5 minutes); ARGS='64 3': in flight, rounds
	@node bench/redis-schemes.ts $(ARGS)

clean: ## Remove everything that was built or installed
	@rm -rf dist node_modules .tools coverage

tools: node_modules/.installed $(ENVOY) $(H2SPEC) ## Install redis-server, openssl, Envoy and h2spec where they are missing
	@scripts/install-packages

node_modules/.installed: package.json package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SCHEMATHESIS):
	@scripts/install-schemathesis $(SCHEMATHESIS_VERSION)

$(ENVOY):
	@scripts/install-envoy $(ENVOY_VERSION)

$(H2SPEC):
	@scripts/install-h2spec
