# `make score`, `make test` and `make docs` start from nothing but Python 3.11 or newer and a network to the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := $(wildcard examples/data/digits_*.parquet)

.PHONY: score test lint docs bench clean

score: $(VENV)/score.stamp
	@mkdir -p out
	@for file in $(DATA); do \
		name=$$(basename $$file .parquet); \
		printf '\n== %s\n' "$$name"; \
		$(BIN)/xent score $$file --html out/$$name.html || exit $$?; \
	done
	@printf '\nThe pages are in out/*.html\n'

# Modules are kept compiled, whatever the environment says: hundreds of tests start a process that imports xent.
# A process that crashes ends the run: pytest-xdist would wait for its tests for ever.
test: $(VENV)/test.stamp $(VENV)/docs.stamp
	@$(MAKE) --no-print-directory --jobs=2 lint docs
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder --max-worker-restart 0

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/docs.stamp
	@rm -rf out/docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs out/docs
	$(BIN)/python docs/_ext/links.py out/docs
	@printf 'The documentation is in out/docs/index.html\n'

bench: $(VENV)/test.stamp
	@mkdir -p out
	@for script in benchmarks/bench_*.py; do \
		name=$$(basename $$script .py); name=$${name#bench_}; \
		$(BIN)/python $$script > out/$$name.jsonl || exit $$?; \
		$(BIN)/python benchmarks/tables.py $$name < out/$$name.jsonl || exit $$?; \
	done
	@$(BIN)/python benchmarks/accuracy.py --save
	@$(BIN)/python benchmarks/accuracy.py --first-call

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("xent needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/score.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# Without compiling 25,000 modules, which takes a minute: those that are imported are compiled then.
$(VENV)/test.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[test]'
	@touch $@ $(VENV)/score.stamp $(VENV)/docs.stamp

$(VENV)/docs.stamp: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) out build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
