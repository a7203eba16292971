# `make serve` and `make test` need python3 (3.11 or later) with venv, and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?= data

.PHONY: serve test lint bench lock clean

serve: $(VENV)/.runtime
	$(BIN)/bouncemx serve --data-dir $(DATA) --try

test: $(VENV)/.development
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.development
	$(BIN)/python tests/bench/reading.py
	$(BIN)/python tests/bench/intake.py
	$(BIN)/python tests/bench/suppressions.py

# the locks name no index; they hold for every Python that we support
LOCK = uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 --no-annotate --no-header
lock:
	$(LOCK) --extra postgres pyproject.toml -o requirements.txt
	$(LOCK) --extra postgres --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(LOCK) --group build -o requirements-build.txt

clean:
	rm -rf $(VENV) $(DATA)

PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED = install --require-hashes -r

$(VENV)/.runtime: requirements.txt requirements-build.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(LOCKED) requirements-build.txt
	$(PIP) $(LOCKED) requirements.txt
	$(PIP) install --no-build-isolation --no-deps -e .
	$(BIN)/python -m compileall -q server handlers storage  # or each start does it again where Python may not write
	touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.txt
	$(PIP) $(LOCKED) requirements-dev.txt
	touch $@
