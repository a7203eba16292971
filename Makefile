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
	$(BIN)/python tests/bench/intake.py

# the lock names no index; it holds for every Python that we support
lock:
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --no-annotate --no-header --extra postgres pyproject.toml -o requirements.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --no-annotate --no-header --extra postgres --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean:
	rm -rf $(VENV) $(DATA)

$(VENV)/.runtime: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

$(VENV)/.development: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@ $(VENV)/.runtime
