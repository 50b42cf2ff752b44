# Two commands are all a newcomer needs: `make demo` and `make test`. Each sets up what it uses.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
TOOLS := .cache/tools
UV := $(TOOLS)/bin/uv
BIN := .venv/bin
ENV := .venv/.ready

.PHONY: help demo up test lint format bench clean setup

help: ## List the targets.
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

setup: $(ENV) ## Make the virtual environment.

up: $(ENV) ## Start the platform in the foreground.
	@$(BIN)/mayfly up

lint: $(ENV) ## Check format, lint and types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(ENV) ## Rewrite the files in the house format.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove everything that the other targets made.
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist benchmarks/results node_modules
