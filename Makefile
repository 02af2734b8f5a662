# make run    BPTT beside SMT then DMT: far memory, state tracking, embedded real data; one table
# make test   lint, types, tests
# make setup  what both need; a second call does nothing
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test setup clean

run: setup
	$(BIN)/pastforward compare retrieval:512 modular:128 digits --cells mlp --ways bptt smt+dmt --seconds 100 \
	  --name run --overwrite

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pastforward needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv runs
