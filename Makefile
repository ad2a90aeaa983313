# SPDX-License-Identifier: Apache-2.0
# The single door: what people and CI run. `make help` lists it.
SHELL := /bin/sh
STEP := scripts/step
VENV := $(shell scripts/python-env.sh)
PY := $(VENV)/bin/python
export PYTHONPATH := $(CURDIR)/operator
export PYTHONDONTWRITEBYTECODE := 1
CAIRN := $(PY) -m cairn
PYTEST := $(PY) -m pytest -q
DATA_PACKAGES := postgresql libfaketime iproute2 iptables

.DEFAULT_GOAL := help
.PHONY: help env lint format test test-unit test-cluster test-data faults mutants test-engines test-pods demo demo-down demo-promotion demo-promotion-down demo-tenant demo-tenant-down bench-promotion bench-reconcile bench-push crds lock clean data-packages

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

env: ## make the virtual environment in the cache
	@test -n "$(VENV)" || exit 3
	@test -e $(VENV)/ready || $(STEP) "virtual environment" scripts/python-env.sh --make

lint: env ## style, types and import rules
	@$(STEP) "ruff" $(PY) -m ruff check .
	@$(STEP) "ruff format" $(PY) -m ruff format --check .
	@$(STEP) "mypy" $(PY) -m mypy operator tests demo
	@$(STEP) "import rules" $(VENV)/bin/lint-imports --no-cache

format: env ## put the code into shape
	@$(PY) -m ruff check --fix -q . ; $(PY) -m ruff format -q .

test: env data-packages ## all tests; what is missing on this machine is installed or named
	@$(STEP) "dev cluster's binaries and images" $(PY) tests/devcluster/devcluster.py build
	-@test "$$(id -u)" != 0 || $(STEP) "database servers" $(PY) tests/devcluster/devcluster.py build --what databases
	@$(STEP) "tests" $(PYTEST) --durations=10

test-unit: env ## the fast ones, without a cluster
	@$(STEP) "unit tests" $(PYTEST) --hypothesis-profile=quick tests/unit

test-cluster: env ## against a real API server
	@$(STEP) "control plane's binaries" $(PY) tests/devcluster/devcluster.py build --what kubevirt-plane
	@$(STEP) "cluster tests" $(PYTEST) tests/cluster tests/devcluster

test-data: env data-packages ## against real databases and a real bus
	@$(STEP) "binaries" $(PY) tests/devcluster/devcluster.py build --what controlplane
	@$(STEP) "data tests" $(PYTEST) tests/data tests/chaos tests/faults

faults: env data-packages ## the push plane under every fault we know, against an oracle
	@$(STEP) "binaries" $(PY) tests/devcluster/devcluster.py build --what controlplane
	@$(STEP) "faults" $(PYTEST) --durations=10 tests/faults

test-pods: env ## with real pods (root on Linux)
	@$(STEP) "dev cluster's binaries and images" $(PY) tests/devcluster/devcluster.py build
	@$(STEP) "pod tests" $(PYTEST) tests/pods

mutants: env data-packages ## faults built into the push plane, each of which a test must notice: build/mutants/report.json
	@$(STEP) "binaries" $(PY) tests/devcluster/devcluster.py build --what controlplane
	@$(STEP) "database servers" $(PY) tests/devcluster/devcluster.py build --what databases
	@PYTHONPATH=$(CURDIR)/operator:$(CURDIR)/tests $(PY) -m mutants.run

test-engines: env ## shared data on MariaDB and MySQL, and on PostgreSQL 15, 17 and 18 (root on Linux)
	@$(STEP) "database servers" $(PY) tests/devcluster/devcluster.py build --what databases
	@$(STEP) "MariaDB and MySQL" $(PYTEST) tests/data/engines
	@for version in 15 17 18; do \
	  CAIRN_TEST_POSTGRESQL=$$version $(STEP) "PostgreSQL $$version" $(PYTEST) tests/data/share tests/data/test_sql_*.py || exit 1; done

data-packages:
	@scripts/ensure-debian-packages.sh --why "a real PostgreSQL, wrong clocks and cut networks for the data tests" $(DATA_PACKAGES)

demo: env ## the main job on a cluster of its own: real orders into a seller's database, with faults
	@$(PY) -m demo.run $(if $(ORDERS),--orders $(ORDERS))

demo-down: env ## take the demo's cluster down
	@$(PY) -m demo.run --down

demo-promotion: env ## 11.11 in fast motion on a cluster of its own
	@$(PY) -m demo.promotion

demo-promotion-down: env ## take that demo's cluster down
	@$(PY) -m demo.promotion --down

demo-tenant: env ## three parties on one seller's data, on a cluster of its own: consent, widening, revoke
	@$(PY) -m demo.tenant

demo-tenant-down: env ## take that demo's cluster down
	@$(PY) -m demo.tenant --down

bench-promotion: env ## 500 machines, one promotion: build/bench/promotion.json
	@$(STEP) "control plane's binaries" $(PY) tests/devcluster/devcluster.py build --what kubevirt-plane
	@$(PY) benchmarks/fleet/promotion.py

bench-reconcile: env ## 1,000 new machines against a bare client, 5,000 at rest: build/bench/reconcile.json
	@$(STEP) "control plane's binaries" $(PY) tests/devcluster/devcluster.py build --what kubevirt-plane
	@$(PY) benchmarks/fleet/reconcile.py

bench-push: env data-packages ## the guarded write against COPY, many sellers, HTTP to row: build/bench/push.json
	@$(STEP) "control plane's binaries" $(PY) tests/devcluster/devcluster.py build --what controlplane
	@test "$$(id -u)" != 0 || $(STEP) "database servers" $(PY) tests/devcluster/devcluster.py build --what databases
	-@$(STEP) "Redpanda Connect to compare with" $(PY) tests/devcluster/devcluster.py build --what peer
	@$(PY) benchmarks/push/run.py

crds: env ## write crds/ and the charts' generated parts from the models
	@$(CAIRN) crds --dir crds
	@$(PY) scripts/chart_crds.py

lock: env ## renew the lock files, with hashes and without URLs
	@for set in "" "-dev"; do \
	  $(VENV)/bin/uv pip compile pyproject.toml $${set:+--extra dev} --upgrade --generate-hashes --no-emit-index-url \
	    --no-header --universal --quiet --python-version 3.11 -o requirements$$set.lock || exit 1; done

clean: ## remove what was built in the tree (the cache stays)
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis

include tests/devcluster/devcluster.mk
