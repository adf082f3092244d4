# What a newcomer needs is `make demo` and `make test`; the rest is for those who change lockgate.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
CUDA := cuda13
# compiled modules are kept, as for every user: some containers switch that off, and then each of
# the commands that tests start compiles its modules again
export PYTHONDONTWRITEBYTECODE :=
PACKAGES := -e . -e plugins/lockgate-datasets -e plugins/lockgate-treelite -e plugins/lockgate-numba -e plugins/lockgate-keras

.PHONY: help demo test lint format docs pictures bench soak gpu lock clean

help:  ## show this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1	/' | expand -t 16

.venv/.run: requirements/run.txt pyproject.toml plugins/lockgate-datasets/pyproject.toml plugins/lockgate-treelite/pyproject.toml plugins/lockgate-numba/pyproject.toml plugins/lockgate-keras/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES)
	touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

demo: .venv/.run  ## set up .venv, make a model of real shop customers, say what to look at
	$(BIN)/lockgate run
	@echo
	@echo "lockgate is in .venv; to call it by name: source .venv/bin/activate"

test: .venv/.dev  ## all tests, some 14 minutes on two cores (12 are the aim)
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

lint: .venv/.dev  ## formatting, lint, names and messages, types, import contracts, generated pages, site
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.wording
	$(BIN)/python -m docs.generate --check
	$(BIN)/sphinx-build -q -W --keep-going -b dirhtml docs build/site

format: .venv/.dev  ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.dev  ## write the generated pages of docs/, and build the site in build/site
	$(BIN)/python -m docs.generate
	$(BIN)/sphinx-build -q -W --keep-going -b dirhtml docs build/site
	@echo "the documentation: build/site/index.html"

pictures: .venv/.dev  ## take the pictures of the documentation anew (needs chromium, and a run)
	$(BIN)/python -m docs.pictures

bench: .venv/.dev  ## measure every figure of docs/benchmarks.md anew
	$(BIN)/python -m benchmarks

soak: .venv/.dev  ## long runs: kills, swaps, fuzzing, full disks, many seeds; goes on where it was interrupted
	LOCKGATE_SOAK=1 $(BIN)/python -m pytest -n 2 --dist worksteal tests/soak tests/data tests/serving tests/registry tests/models tests/pipeline/test_merges.py tests/pipeline/test_choices.py tests/pipeline/test_replaced_choices.py tests/builtin tests/pipeline/test_real_files.py tests/pipeline/test_commands.py tests/extensions tests/cli/test_hostile_folders.py $(ARGS) || test $$? -eq 5

gpu: .venv/.dev  ## with a CUDA device (CUDA=cuda12 for 12.x): tests on CuPy, and what it gains
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$(CUDA)]'
	$(BIN)/python -m pytest tests/modeling/test_solving.py tests/modeling/test_drift.py tests/models/packed/test_engines.py tests/models/packed/test_comparison.py tests/builtin/test_contract.py -k 'not plugin_keeps or cupy or linear' $(ARGS)
	$(BIN)/python -m benchmarks.gpu

lock:  ## resolve requirements/*.txt anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate \
		--extra ledger --extra pipeline --extra serve pyproject.toml requirements/data.in -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate \
		-c requirements/run.txt requirements/dev.in -o requirements/dev.txt

clean:  ## remove the environment and everything that stages made
	rm -rf .venv data/prepared models/candidate models/compressed models/*.csv models/*.json bundle report/*.json report/*.html report/plots dvc.lock
