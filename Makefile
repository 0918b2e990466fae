# kvlayer: `make help` lists what there is. Everything installs into .venv, nothing elsewhere.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Settings of the machine's own Python must not leak into the environment made here.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo test check format bench accumulo-helper clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.demo ## load 234,908 cities into one file and ask what ordered keys answer well
	@$(BIN)/python examples/cities.py

test: check ## every test on every store, after linters and types; ARGS="-k ranges" for some
	@$(BIN)/python tests/servers/install.py
	@$(BIN)/python -m pytest -n 2 $(ARGS)

check: $(VENV)/.dev ## ruff (format and lint) and mypy
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/.dev ## rewrite the code as `check` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.bench ## ratios against the bare stores
	@$(BIN)/python tests/servers/install.py
	@$(BIN)/python -m benchmarks $(ARGS)

accumulo-helper: $(VENV)/.dev ## rebuild the Java classes that the accumulo backend ships
	@$(BIN)/python src/kvlayer/backends/accumulo/java/build.py

clean: ## remove the environment and all that was built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# Debian ships Python without venv: it is installed where it is missing and apt can do so.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "kvlayer needs Python 3.11 or later; name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "installing python3-venv"; apt-get -qq update && apt-get -qq install -y python3-venv; }
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

# Tests and benchmarks want the accelerator, and so a C compiler and Python's headers; users need neither.
$(VENV)/.compiler: | $(VENV)/.made
	@{ command -v cc >/dev/null && $(BIN)/python -c 'import os, sys, sysconfig; \
	    sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'; } \
	  || { echo "installing gcc and python3-dev"; apt-get -qq update && apt-get -qq install -y gcc python3-dev; }
	@touch $@

$(VENV)/.dev $(VENV)/.bench: | $(VENV)/.compiler

# One stamp for each dependency group; made anew when pyproject.toml or what is compiled changes.
$(VENV)/.%: pyproject.toml setup.py src/kvlayer/_key_accelerator.c | $(VENV)/.made
	@echo "installing the $* environment"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group $*
	@touch $@
