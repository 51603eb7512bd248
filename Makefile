# The front door: each target sets up what it needs, and does nothing twice.
# Needs on the machine: Python 3.11 or newer, make, git. Never root.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python on PATH that is new enough. It only installs uv, which finds the same one itself;
# `make PYTHON=/path/to/python …` makes both use another.
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& command -v "$$name" && break; done)
PINNED := $(if $(filter command% environment%,$(origin PYTHON)),UV_PYTHON="$(PYTHON)")
# A uv that is already there is used; otherwise scripts/install_uv.py puts the pinned one in .tools/.
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
LOCKED := pyproject.toml uv.lock
RUNTIME_READY := .venv/.ready-runtime
ALL_READY := .venv/.ready-all
PAGES := src/holdfast/api/dashboard/index.html src/holdfast/lab/report.html
PAGE_SOURCES := scripts/dashboard.py $(shell find dashboard -type f -not -path '*/node_modules/*' -not -path '*/dist/*')
# Where the environment forbids to keep what was compiled, each of a thousand processes would compile
# everything again: half of what `make test` computes.
unexport PYTHONDONTWRITEBYTECODE
# More than there are cores: much of what tests do is waiting.
PROCESSES ?= 4

.PHONY: help setup demo test lint verify simulate bench dashboard

help: ## What can be done here
	@sed -n 's/^\([a-z]*\): .*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target does; do \
		printf '  make %-9s %s\n' "$$target" "$$does"; done

setup: $(ALL_READY) $(PAGES) ## The environment: .venv with every locked dependency
	@echo "Ready: .venv/bin/holdfast --help"

demo: $(RUNTIME_READY) ## A bot trading on a local exchange; ARGS="--duration 20 --json" passes options
	@$(MAKE) $(PAGES) >&2 || echo "Without its dashboard; the demo goes on in this window." >&2
	@.venv/bin/holdfast demo $(ARGS)

test: $(ALL_READY) $(PAGES) ## Everything a change must pass: style, types, tests
	@scripts/browser
	@scripts/operations-tools
	@$(MAKE) --jobs=2 --output-sync=target lint .verified .compiled
	@.venv/bin/pytest --numprocesses=$(PROCESSES) --dist=worksteal $(ARGS)

.PHONY: .verified .compiled
.verified: $(ALL_READY)
	@.venv/bin/python -m scripts.verify

# What each test process would otherwise make for itself of a thousand files that no run has seen:
# compiled tests. What cannot be imported is told by the tests themselves.
.compiled: $(ALL_READY)
	@.venv/bin/pytest --collect-only -qq >/dev/null 2>&1 || true

lint: $(ALL_READY) ## Style and types only
	@scripts/lint

verify: $(ALL_READY) ## Deployment artefacts, each by the program that reads it; ARGS="--json" passes options
	@.venv/bin/python -m scripts.verify --online $(ARGS)

simulate: $(RUNTIME_READY) ## Nodes under faults in virtual time; ARGS="--seeds 1-1000 --jobs 2" passes options
	@.venv/bin/holdfast simulate $(ARGS)

bench: $(ALL_READY) ## The benchmarks, with their targets
	@.venv/bin/python -m benchmarks $(ARGS)

dashboard: $(PAGES) ## The dashboard and the page of reports, built with npm; needs no Node on the machine
	@echo "Ready: $(PAGES)"

# One build makes both; after it the second is no longer older than its sources.
$(PAGES): $(PAGE_SOURCES) | $(RUNTIME_READY)
	@UV="$(abspath $(UV))" .venv/bin/python scripts/dashboard.py

# Running needs fewer packages than developing, so the demo installs only those. An environment that
# already has everything is left as it is (--inexact). Compiled now, the first start is not slow.
$(RUNTIME_READY): $(LOCKED) | $(UV)
	@$(PINNED) $(UV) sync --locked --no-dev --inexact --compile-bytecode
	@touch $@

$(ALL_READY): $(LOCKED) | $(UV)
	@$(PINNED) $(UV) sync --locked
	@touch $@ $(RUNTIME_READY)

.tools/bin/uv:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found on PATH (seen: $$(python3 --version 2>&1))." \
		"Install one, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 2; }
	@"$(PYTHON)" scripts/install_uv.py
