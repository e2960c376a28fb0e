# What people and CI run. `make help` lists it; each target installs and builds what it lacks.

PYTHON ?= python3
PY := .venv/bin/python
SETUP := .venv/.set-up
# Byte code is compiled once, when it is first needed, and kept out of the tree. Tests start many
# processes: each would compile all that it imports where the environment forbids to keep it.
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/pycache
unexport PYTHONDONTWRITEBYTECODE
# uv does not read pip's configuration: a mirror that is set there is passed on.
INDEX = $(addprefix --default-index ,$(or $(PIP_INDEX_URL),$(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null)))

.DEFAULT_GOAL := help
.PHONY: help setup check unit test faults wheel demo up down requirements audit sbom references docs

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(SETUP) ## the Python environment in .venv

$(SETUP): requirements-dev.txt pyproject.toml
	@echo "setting up .venv (half a minute the first time)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@# uv is four times faster than pip; it is itself installed by its hash.
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > .venv/uv.txt
	@$(PY) -m pip install -q --require-hashes -r .venv/uv.txt
	@.venv/bin/uv pip install -q --python $(PY) --require-hashes $(INDEX) -r requirements-dev.txt
	@$(PY) -m pip install -q --no-build-isolation --no-deps -e .
	@touch $@

check: $(SETUP) ## format, lint, types, import contracts, unit tests: before each commit
	@$(PY) -m dev.checks.suite check

unit: $(SETUP) ## the unit tests
	@$(PY) -m pytest -q tests/unit

test: $(SETUP) ## everything, on real servers and a real cluster (45 minutes once all is built)
	@$(PY) -m dev.checks.suite test

faults: $(SETUP) ## every fault on the list, and the table of how each one heals
	@$(PY) -m pytest -n 3 --no-loadscope-reorder -m fault tests

wheel: $(SETUP) ## build the wheel and check that it holds all it needs
	@$(PY) -m pytest -q tests/wheel

demo: $(SETUP) ## a model, served and asked, on a real cluster on this machine
	@$(PY) -m dev.demo

up: $(SETUP) ## the cluster with the chart installed, and no example
	@$(PY) -m dev.demo up

down: $(SETUP) ## end all that `make up`, `make demo` or `make test` started
	@$(PY) -m dev.cluster down

references: $(SETUP) ## write the generated pages of docs/reference anew: API, chart values, commands, metrics
	@$(PY) -m dev.checks.references

docs: $(SETUP) ## the documentation as a site, in site/: open site/index.html
	@$(PY) -m dev.docs

audit: $(SETUP) ## known vulnerabilities of what is pinned; it asks PyPI and fails where that does not tell
	@.venv/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off $(patsubst %,-r %,$(wildcard requirements*.txt))

sbom: $(SETUP) ## print what is in the image, as CycloneDX JSON
	@$(PY) -m dev.checks.sbom

requirements: $(SETUP) ## write the pinned requirements anew from pyproject.toml
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.txt
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements-dev.txt
	@.venv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --python-version 3.11 --no-emit-index-url --no-emit-find-links --group sbom -o requirements-sbom.txt
