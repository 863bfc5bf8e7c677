# Every target sets up $(VENV) by itself; all it takes is Python 3.11 or newer, git, pip and make.
#
#   make demo    install, restore a release of this repository's own test data, look at its rows
#   make test    run the tests            make check   lint, types, layers
#   make bench   measure against peers    make docs    write the generated parts of the documentation anew

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs clean

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	"$$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
TESTS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:
	@sed -n '3,4s/^#  *//p' Makefile

# The stamps are newer than pyproject.toml as long as what is installed is what it asks for.
$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/.tdv: pyproject.toml $(VENV)/.python
	$(BIN)/python -m pip install --quiet --editable .
	$(BIN)/python -m compileall -q tdv  # the first command is as fast as the next, even where Python may write no cache
	touch $@

$(VENV)/.dev: $(VENV)/.tdv
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group bench
	touch $@

demo: $(VENV)/.tdv
	$(BIN)/tdv checkout v1.1.0
	@$(BIN)/python docs/examples/look.py .tdv/local.db

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto $(TESTS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	$(BIN)/python tools/write_docs.py

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
