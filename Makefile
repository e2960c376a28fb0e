# Commands for developers and CI. `make help` lists them; each installs and builds what it needs.

PYTHON ?= python3
PY := .venv/bin/python
SETUP := .venv/.set-up
# Byte code is compiled once and kept outside the tree. Tests start many processes, which would each
# compile all their imports if the environment forbids writing byte code.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache
unexport PYTHONDONTWRITEBYTECODE
# uv does not read pip's configuration, so a mirror that is set there is passed to it.
INDEX = $(addprefix --default-index ,$(or $(PIP_INDEX_URL),$(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null)))

.DEFAULT_GOAL := help
.PHONY: help setup check unit test test-oldest faults wheel demo up down requirements audit sbom references docs release publish lock test-release

help: ## this list of targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(SETUP) ## the Python environment in .venv

$(SETUP): requirements-dev.txt pyproject.toml
	@echo "setting up .venv (half a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@# uv is four times faster than pip; uv itself is installed by its hash.
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > .venv/uv.txt
	@$(PY) -m pip install -q --require-hashes -r .venv/uv.txt
	@.venv/bin/uv pip install -q --python $(PY) --require-hashes $(INDEX) -r requirements-dev.txt
	@$(PY) -m pip install -q --no-build-isolation --no-deps -e .
	@touch $@

check: $(SETUP) ## format, lint, types, import contracts, unit tests: run before each commit
	@$(PY) -m dev.checks.suite check

unit: $(SETUP) ## the unit tests
	@$(PY) -m pytest -q tests/unit

test: $(SETUP) ## all tests, against real servers and a real cluster (half an hour to an hour once everything is built)
	@$(PY) -m dev.checks.suite test

test-oldest: $(SETUP) ## the tests of chart and API server, on the oldest supported Kubernetes (half an hour)
	@$(PY) -m pytest -q -n 2 --kubernetes oldest tests/apiserver tests/chart

faults: $(SETUP) ## the fault injection tests, and a table of how long each recovery takes
	@$(PY) -m pytest -n 3 --no-loadscope-reorder -m fault tests

wheel: $(SETUP) ## build the wheel and check that it is complete
	@$(PY) -m pytest -q tests/wheel

demo: $(SETUP) ## serve a model and send it a request, on a real cluster on this machine
	@$(PY) -m dev.demo

up: $(SETUP) ## start the cluster with the chart installed, without the example
	@$(PY) -m dev.demo up

down: $(SETUP) ## stop everything that `make up`, `make demo` or `make test` started
	@$(PY) -m dev.cluster down

references: $(SETUP) ## regenerate the pages of docs/reference, and files of the chart from the comments of values.yaml
	@$(PY) -m dev.checks.references

docs: $(SETUP) ## build the documentation as a site in site/: open site/index.html
	@$(PY) -m dev.docs

audit: $(SETUP) ## check the pinned packages for known vulnerabilities; fails if PyPI doesn't answer
	@.venv/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off $(patsubst %,-r %,$(wildcard requirements*.txt))

sbom: $(SETUP) ## print the image's bill of materials as CycloneDX JSON
	@$(PY) -m dev.checks.sbom

release: $(SETUP) ## all files of a release in dist/: REGISTRY=ghcr.io/acme COSIGN_KEY=cosign.key make release
	@$(PY) -m dev.release build

publish: $(SETUP) ## push dist/ to REGISTRY, and sign what was pushed with COSIGN_KEY
	@$(PY) -m dev.release publish

lock: $(SETUP) ## lock the newest Debian packages of the released images
	@$(PY) -m dev.release lock

test-release: $(SETUP) ## make a release twice, push it to a local registry, verify it (5 minutes; not part of `make test`)
	@$(PY) -m pytest -q tests/release

requirements: $(SETUP) ## regenerate the pinned requirements from pyproject.toml
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.txt
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements-dev.txt
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --no-emit-index-url --no-emit-find-links --group sbom -o requirements-sbom.txt
