# The menu. Everything a newcomer, a developer or CI runs is a target here.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
SETUP := .venv/installed
.DEFAULT_GOAL := help
.PHONY: help setup up down status token logs test test-fast check format generate lock bench clean

help: ## show this menu
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run
up: $(SETUP) ## start everything and load the demo; ARGS="--detach --scale tiny|default|province|merged"
	@$(BIN)/python -m deploy.local up $(ARGS)
down: $(SETUP) ## stop what `up --detach` started
	@$(BIN)/python -m deploy.local down $(ARGS)
status: $(SETUP) ## what runs and how it is; ARGS=--json
	@$(BIN)/python -m deploy.local status $(ARGS)
token: $(SETUP) ## print a token; ARGS="--role officer --unit gso:506"
	@$(BIN)/python -m deploy.local token $(ARGS)
logs: $(SETUP) ## follow the services' logs; ARGS="records sync"
	@$(BIN)/python -m deploy.local logs $(ARGS)

##@ Develop
setup: $(SETUP) ## create the virtual environment
$(SETUP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Needs Python 3.11 or newer with venv (on Debian: python3-venv); $$($(PYTHON) --version 2>&1) is not. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up .venv (once, about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
test: $(SETUP) ## run all tests against real PostgreSQL, NATS and Envoy
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)
test-fast: $(SETUP) ## run the tests that need no server
	@$(BIN)/python -m pytest tests/unit $(ARGS)
check: $(SETUP) ## lint, types, import rules, protos, generated code
	@scripts/check
format: $(SETUP) ## format code and protos
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format . && $(BIN)/buf format -w
generate: $(SETUP) ## generate gen/ from protos/
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python scripts/generate
lock: ## resolve the dependencies anew (needs uv)
	@scripts/lock
bench: $(SETUP) ## measure, each figure beside its floor; ARGS="push calls"
	@$(BIN)/python -m benchmarks $(ARGS)
clean: ## remove the virtual environment and caches; data in .iocedu stays
	@rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
