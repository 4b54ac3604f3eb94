# make demo    set up, then run the main job on the data and the models that come with DataTune
# make test    set up with the development tools, then lint, types, import rules and tests
# make check   the same without the tests; make test-slow runs the tests that take long
# make format  put the code in shape; make clean removes caches, make distclean .venv too

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin

.PHONY: demo test check test-slow format clean distclean python

demo: python
	@$(PYTHON) install.py
	@$(BIN)/datatune demo

test: check
	$(BIN)/pytest -n 2 --dist loadfile

check: python
	@$(PYTHON) install.py --dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test-slow: check
	$(BIN)/pytest -m slow

format: python
	@$(PYTHON) install.py --dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found. Name it: make demo PYTHON=/path/to/python3.12" >&2; exit 1; }

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find datatune_tui engine models tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
