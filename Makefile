# Two commands for a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help install demo test test-slow faults fuzz check format bench readme reference docs clean

help:
	@echo "make demo       set up, train three systems on the embedded corpus, write runs/demo/report/"
	@echo "make test       set up, run the fast tests"
	@echo "make test-slow  the long tests as well"
	@echo "make faults     what can go wrong with a run, long tests included; prints what was tried and survived"
	@echo "make fuzz       bad input by the thousand; prints how many cases"
	@echo "make docs       build the site into build/site, strictly: a broken link or a page without a place fails"
	@echo "make check      format, lint, types"
	@echo "make bench      this trainer, plain loops and the machine's matrix product, as ratios (15 minutes)"

# torch first and pinned: an unpinned torch may bring gigabytes of CUDA to a machine without a GPU
$(BIN)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,cluster,distributed]'
	touch $@

install: $(BIN)/.installed

demo: install
	$(BIN)/seq2seq demo

test: install
	$(BIN)/python -m pytest -n 2

test-slow: install
	$(BIN)/python -m pytest --slow

faults: install
	$(BIN)/python -m pytest --slow tests/faults tests/run/test_loop.py tests/run/test_processes.py tests/study/test_cluster.py
	$(BIN)/python -m tests.faults.table

fuzz: install
	$(BIN)/python -m pytest --slow tests/fuzz
	$(BIN)/python -m tests.faults.table

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install
	$(BIN)/python -m benchmarks

readme: install
	$(BIN)/python docs/update_readme.py
	$(BIN)/python docs/architecture.py

docs: install
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: install
	$(BIN)/python docs/update_reference.py

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
