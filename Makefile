.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
UV := .uv/bin/uv
# Byte code is written on install: where Python may not write it later, in many containers, every
# command and every worker would compile its libraries anew.
export UV_COMPILE_BYTECODE := 1
BIN := .venv/bin
# The tests compare with pydensecrf2, which is compiled on install; where there is no C++ compiler, by
# the one of a Python package.
HAS_COMPILER := command -v c++ >/dev/null
COMPILER := $(shell $(HAS_COMPILER) || echo 'CC="$(CURDIR)/.uv/bin/python -m ziglang cc"' \
	'CXX="$(CURDIR)/.uv/bin/python -m ziglang c++"')

.PHONY: help demo test test-long lint docs docs-commands pins clean

help: ## show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: .venv/compiled ## set everything up and run the whole pipeline on the embedded data set
	$(BIN)/wsss run experiment=demo

test: .venv/dev.done .venv/compiled ## set everything up and pass the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile \
		--no-loadscope-reorder

lint: .venv/dev.done docs ## ruff, mypy, and the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/dev.done ## the documentation as a site, build/site/index.html; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

test-long: .venv/dev.done .venv/compiled ## tests of half an hour: processes, nodes, every fault in every stage
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m minutes --ignore=tests/docs

docs-commands: .venv/dev.done .venv/compiled ## run the documentation's commands that take minutes
	$(BIN)/python -m pytest -m minutes tests/docs

pins: .uv/done ## renew the hashed pins in requirements/ from pyproject.toml
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate --all-extras --group dev \
		pyproject.toml -o requirements/dev.txt
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate --extra dicom --extra heic --extra onnx \
		--extra tensorboard --extra wandb -c requirements/dev.txt pyproject.toml -o requirements/run.txt

clean: ## remove the environment and caches; runs/ stays
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis

# uv lives in a folder of its own, so that nothing is installed into the user's Python.
.uv/done:
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

.venv/made: .uv/done
	$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@touch $@

.venv/run.done: .venv/made requirements/run.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.venv/compiled: .venv/run.done $(shell find wsss -name '*.py')
	$(BIN)/python -m compileall -q wsss
	@touch $@

.venv/dev.done: .venv/run.done requirements/dev.txt
	@$(HAS_COMPILER) || $(UV) pip install --quiet --python .uv/bin/python ziglang
	$(COMPILER) $(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@
