# Two commands are all a newcomer needs: `make demo` and `make test`. Each sets up what it uses.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
TOOLS := .cache/tools
UV := $(TOOLS)/bin/uv
WORKERS ?= 4
BIN := .venv/bin
ENV := .venv/.ready
# Programs of tests start in a third of the time where modules are compiled once.
export PYTHONDONTWRITEBYTECODE :=
JS := tests/javascript/node_modules/.ready
DEPLOYERS := tests/deployers/node_modules/.ready
RUNTIMES := .cache/platform/runtimes/.ready
PHOTOS := .cache/photos/.ready
SYSTEM := .cache/system/.ready
# What levels of isolation, images, runtimes and tests (of a browser, too) need of the system: commands, and Debian's packages
# of them where those are called otherwise.
PACKAGES := crun runsc skopeo docker-registry ruby javac=openjdk-17-jdk-headless chromium

.PHONY: help demo up test lint format bench bench-peers wasi-testsuite docs clean setup

help: ## List the targets.
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@echo "Setting up the package installer (uv) in $(TOOLS)"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3.11-venv >/dev/null; \
	  else echo "Python's venv module is missing. On Debian: apt-get install python3.11-venv" >&2; exit 1; fi; }
	@$(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check uv

$(ENV): $(UV) pyproject.toml uv.lock
	@echo "Installing Mayfly and its development tools in .venv"
	@$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $(ENV)

$(JS): $(ENV) tests/javascript/package.json tests/javascript/package-lock.json
	@echo "Installing the AWS SDK for JavaScript for its tests"
	@cd tests/javascript && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --loglevel=error --no-fund --no-audit
	@touch $(JS)

$(DEPLOYERS): $(ENV) tests/deployers/package.json tests/deployers/package-lock.json
	@echo "Installing the AWS CDK and the Serverless Framework for their tests"
	@cd tests/deployers && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --loglevel=error --no-fund --no-audit
	@touch $(DEPLOYERS)

$(SYSTEM): Makefile
	@mkdir -p .cache/system
	@missing=$$(for one in $(PACKAGES); do command -v $${one%%=*} >/dev/null || echo $${one##*=}; done); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing $$missing"; apt-get update -qq && \
	  for package in $$missing; do \
	    apt-cache policy $$package | grep -q 'Candidate: [0-9]' || { echo "apt has no $$package here"; continue; }; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$package >/dev/null || exit 1; done; \
	elif [ -n "$$missing" ]; then echo "Tests that need $$missing are skipped: install them to run all"; fi
	@touch $(SYSTEM)

$(RUNTIMES): $(ENV)
	@echo "Installing Node.js 20, 22 and 24 and the AWS SDK for JavaScript, for functions in tests"
	@$(BIN)/mayfly runtime install nodejs20.x nodejs22.x nodejs24.x sdk --data .cache/platform
	@touch $(RUNTIMES)

# Real photographs come out of published packages; nothing of these is imported or run.
$(PHOTOS): $(ENV) Makefile
	@echo "Fetching photographs"
	@rm -rf .cache/photos && mkdir -p .cache/photos
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --target .cache/photos scikit-image==0.26.0
	@cd .cache/photos && PATH="$(CURDIR)/$(BIN):$$PATH" npm pack --loglevel=error @vladmandic/face-api@1.7.15 >/dev/null
	@cd .cache/photos && tar -xzf vladmandic-face-api-1.7.15.tgz package/demo/sample3.jpg
	@touch $(PHOTOS)

setup: $(ENV) ## Make the virtual environment.

demo: $(ENV) $(PHOTOS) ## Run the main job: photographs in, faces out, and the bill.
	@$(BIN)/python examples/faces/demo.py --photos .cache/photos --out .cache/demo

test: $(ENV) $(JS) $(DEPLOYERS) $(RUNTIMES) $(SYSTEM) lint ## Check everything and run all tests.
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest -n $(WORKERS)

bench: $(ENV) $(RUNTIMES) $(SYSTEM) ## Measure speed and memory, each beside a floor measured in the same run.
	@$(BIN)/python -m benchmarks

# Published with its tests compiled; it is read, never kept with the sources.
wasi-testsuite: $(ENV) ## Run WebAssembly's own suite of WASI tests on the runtime wasm.
	@test -d .cache/wasi-testsuite || git clone --quiet --depth 1 --branch prod/testsuite-base \
	  https://github.com/WebAssembly/wasi-testsuite .cache/wasi-testsuite
	@$(BIN)/python -m benchmarks.wasi_testsuite .cache/wasi-testsuite

bench-peers: $(ENV) ## Measure Mayfly beside what else there is, each installed into .cache/peers.
	@$(BIN)/python -m benchmarks.peers $(ARGS)

up: $(ENV) ## Start the platform in the foreground.
	@$(BIN)/mayfly up

lint: $(ENV) ## Check format, lint and types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(ENV) ## Rewrite the files in the house format.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(ENV) ## Regenerate the parts of the reference that the code knows.
	$(BIN)/python docs/generate.py

clean: ## Remove everything that the other targets made.
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist benchmarks/results node_modules
