# Two commands set everything up by themselves: `make demo` and `make test`.
# They need Python ≥ 3.11 with venv, make and git; nothing is downloaded but the locked packages.
PYTHON ?= python3
BIN := .venv/bin
TEST_PROCESSES ?= 3

.PHONY: demo test dsl-covered up check docs-check clean

demo: .venv/ready
	$(BIN)/parcours demo --out demo-out

up: .venv/ready
	$(BIN)/parcours up

test: .venv/ready check dsl-covered
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --ignore tests/dsl

# The language and the stepper are covered by their own tests, every line and every branch.
dsl-covered: .venv/ready
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -p tests.kit.measured --numprocesses $(TEST_PROCESSES) --dist loadfile tests/dsl
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

.venv/ready: .ci/requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Parcours needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf .venv var demo-out
