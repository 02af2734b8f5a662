# make run      real digits, BPTT beside SMT then DMT: under three minutes, pictures and a page
# make test     lint, types, tests
# make compare  state tracking, digits, a string kept for 128 steps: ten minutes, two tables
# make docs     the site of docs/, with the API reference, into site/
# make setup    what all need; a second call does nothing
PYTHON ?= python3
BIN := .venv/bin
METHODS := bptt bptt-curriculum smt+dmt
QUICK := --method bptt --seconds 12 --name run/first --overwrite

.PHONY: run test compare docs setup clean

run: setup
	@echo "Twelve seconds of BPTT on 8 x 8 digits, to have something to look at:"
	@$(BIN)/pastforward train digits $(QUICK)
	@echo "Now BPTT and SMT then DMT side by side, a minute each, one thread each:"
	@$(BIN)/pastforward compare digits --cells mlp --methods bptt smt+dmt --seconds 60 --jobs 2 \
	  --name run/digits --overwrite
	@echo "Pictures: runs/run/digits/smt+dmt/samples.png (digits drawn, then completed from their upper halves)"
	@echo "Next: pastforward train YOUR-TEXT.txt"
	@echo "      pastforward doctor run/digits/smt+dmt"
	@echo "      pastforward train digits --cell my_module:MyCell"

compare: setup
	$(BIN)/pastforward compare modular:128 digits --cells mlp --methods $(METHODS) --seconds 100 \
	  --jobs 2 --name compare/near --overwrite
	$(BIN)/pastforward compare copy:128 --cells elman --methods $(METHODS) --seconds 120 \
	  --jobs 2 --name compare/far --overwrite

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site: site/index.html"

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pastforward needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv runs site
