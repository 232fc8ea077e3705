# Two words are enough on a machine with Python 3.11+, git and make: `make demo` and `make test`.
# Python's packages come by way of pip's own configuration; no address stands in this repository.

# The first of these that is new enough; PYTHON=/path/to/python decides otherwise.
PYTHON ?= $(or $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
  if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; break; fi; \
  done),python3)
WORKERS ?= 2
INVOICES ?=
SYNC ?=
DEMO_FLAGS ?= $(if $(INVOICES),--invoices $(INVOICES)) $(if $(filter no,$(SYNC)),--no-sync)
TESTS ?= tests/core tests/rooms tests/walks tests/browser tests/simulation
LONG ?=
RESUME ?=
CHOSEN = $(if $(LONG),,-m "not long")
BUT_PROVEN ?=
LEFT_OUT = $(if $(BUT_PROVEN),$(addprefix --ignore=,$(shell $(PY) -m tests.proof --tried)))
SEED ?= 0
ONLY ?=

IN := .venv/bin
PY := $(IN)/python
PIP := $(PY) -m pip --disable-pip-version-check -qq install
COVERAGE := $(PY) -m coverage
hash = $(firstword $(shell cksum < $(1)))
READY := .venv/.ready-$(call hash,requirements.lock)
READY_DEV := .venv/.ready-dev-$(call hash,requirements-dev.lock)
TYPED := application qbo_simulator tools tests docs $(if $(wildcard bench/*.py),bench)
JUDGEMENT := application/invoices/*,application/catalogue.py,application/quickbooks/answers.py,application/quickbooks/faults.py,application/quickbooks/shapes.py,application/quickbooks/wire.py

.DEFAULT_GOAL := help
.PHONY: help demo install run test check lint format types contracts laws docs cover judgement prove bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## a sample university, a simulated QuickBooks, a full run, a server (INVOICES=N, SYNC=no, PORT=N)
	@$(PY) tools/sync_invoices.py demo $(DEMO_FLAGS)

install: $(READY) ## make .venv with .venv/bin/feebridge in it
	@echo "Ready: .venv/bin/feebridge --help"

run: $(READY) ## send every waiting invoice with the present settings
	@$(PY) tools/sync_invoices.py all

test: $(READY_DEV) ## the tests, several at a time (WORKERS=N, TESTS=path, LONG=yes, BUT_PROVEN=yes: less what prove runs)
	@$(PY) -m compileall -q application qbo_simulator tools tests
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(CHOSEN) $(LEFT_OUT) $(TESTS)

check: lint types contracts laws docs ## layout, types, import contracts, laws of the house, reference pages

lint: $(READY_DEV)
	@echo "lint"
	@$(IN)/ruff format --check --quiet . || { echo "run make format"; exit 1; }
	@$(IN)/ruff check --quiet .

format: $(READY_DEV) ## mend layout and what ruff can mend by itself
	@$(IN)/ruff check --fix --quiet . ; $(IN)/ruff format --quiet .

types: $(READY_DEV)
	@echo "types"
	@$(IN)/mypy --no-error-summary $(TYPED)

contracts: $(READY_DEV)
	@echo "contracts"
	@$(IN)/lint-imports --no-logo || exit 1

laws: $(READY_DEV)
	@echo "laws"
	@$(PY) -m pytest -q tests/laws

docs: $(READY_DEV) ## write docs/reference anew; fails when that changed anything
	@echo "docs"
	@$(PY) docs/generate.py

cover: $(READY_DEV) ## every test once more, slower, and which lines and branches they reached
	@$(COVERAGE) erase
	@$(COVERAGE) run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --include='$(JUDGEMENT)' --fail-under=100
	@$(COVERAGE) report --fail-under=95

judgement: $(READY_DEV)
	@$(COVERAGE) erase
	@$(COVERAGE) run -m pytest -q tests/core --ignore=tests/core/test_classifier_fuzz.py
	@$(COVERAGE) combine --quiet
	@$(COVERAGE) report --include='$(JUDGEMENT)' --fail-under=100

prove: $(READY_DEV) ## try to break the promise, and print a page (FAST=1: the short form; SEED=N; RESUME=yes: with one broken off)
	@$(PY) -m tests.proof $(if $(FAST),--fast) $(if $(RESUME),--resume) --seed $(SEED)

bench: $(READY_DEV) ## every budget of speed and memory on this machine (ONLY=part)
	@$(PY) -m bench $(if $(ONLY),--only $(ONLY))

lock: ## resolve requirements.lock and requirements-dev.lock anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml -o requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.lock

clean: ## remove the demo and what tools left behind; .venv, .env, logs and var stay
	@rm -rf demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@rm -f .coverage .coverage.*
	@find application qbo_simulator tools tests docs bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environment. A stamp carries the checksum of the lock it was made from, so a new lock installs itself.

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Feebridge needs Python 3.11 or later; $(PYTHON) is not. Install one, or name it: make PYTHON=/path/to/python3.11"; \
	  exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(READY): requirements.lock | $(PY)
	@echo "Installing what requirements.lock names"
	@$(PIP) --require-hashes -r requirements.lock
	@$(MAKE) --no-print-directory .venv/bin/feebridge
	@touch $@

$(READY_DEV): requirements-dev.lock | $(PY)
	@echo "Installing what requirements-dev.lock names"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(MAKE) --no-print-directory .venv/bin/feebridge
	@touch $@

# The checkout itself is not installed but pointed to: no build, no network, and an edit counts at once.
.venv/bin/feebridge: Makefile | $(PY)
	@$(PY) -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "feebridge.pth").write_text(str(pathlib.Path.cwd()) + "\n", encoding="utf-8")'
	@printf '%s\n' '#!/bin/sh' \
	  "'''exec' \"\$$(dirname \"\$$(readlink -f \"\$$0\")\")/python\" \"\$$0\" \"\$$@\"" \
	  "' '''" 'import sys' '' 'from application.cli.main import main' '' 'sys.exit(main())' > $@
	@chmod +x $@
