# Each target makes what it needs; `make demo` and `make test` work on a fresh clone.
PYTHON ?= python3
BIN := .venv/bin
# One process, at most two threads: more threads than free cores are slower, not faster.
export OMP_NUM_THREADS ?= 2
# Test files are shared out among so many processes of one thread each.
WORKERS ?= 2

.PHONY: demo demo-real test test-latest soak check clean starter

demo: .venv/.installed
	$(BIN)/alft train --offline

# A pretrained model (a directory or Hub id) on opposites of words, live, beside a control and labels: seven minutes. More seeds: SEEDS="0 1 2"
# Offline: ARMS="borrowed-16 format labels-borrowed"
MODEL ?= HuggingFaceTB/SmolLM2-135M-Instruct
SEEDS ?= 0
ARMS ?= live live-format live-labels
demo-real: .venv/.installed
	$(BIN)/python -m benchmarks.real_runs $(MODEL) runs/real opposites --seeds $(SEEDS) --arms $(ARMS)

test: .venv/.developer
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# The newest release of every package, not those of constraints.txt: what a user installs today.
test-latest: .venv-latest/.developer
	OMP_NUM_THREADS=1 .venv-latest/bin/python -m pytest -n $(WORKERS) --dist loadfile

soak: .venv/.developer
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.training.soak --kills 20 --seed 0

check: .venv/.developer
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright

starter: .venv/.installed
	$(BIN)/python -m benchmarks.starter.build --output src/alft/starter/model --seed 0
	$(BIN)/python -m benchmarks.starter.build --which starter:choices --output src/alft/starter/choices_model --seed 0

clean:
	rm -rf .venv .venv-latest build dist .pytest_cache .ruff_cache .hypothesis

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/.developer: .venv/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

.venv-latest/.developer: pyproject.toml
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager --editable ".[dev]"
	touch $@
