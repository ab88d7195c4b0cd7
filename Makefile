# The first target installs everything, and trains and evaluates the chord estimator on
# the demo corpus; `make test` runs the formatting checks, lints and tests that CI runs.

PYTHON ?= python3
BIN := .venv/bin
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

.PHONY: demo install test test-cluster test-faults lint lock clean

demo: install
	$(BIN)/snakemake --cores $(CORES) training/chord/resources/test_data.json
	@tail -n 25 logs/chord/evaluate.log
	@echo "beat and key: $(BIN)/snakemake --cores $(CORES) training/{beat,key}/resources/test_data.json"

# The lock lists every package: --no-deps keeps pip from resolving or adding any.
install: .venv/installed
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "the lock is for Python 3.11 to 3.13: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Test files run in parallel; the tests of one file share fixtures and run in order.
test: install lint
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 \
	    --dist loadfile --no-loadscope-reorder

# On a real SLURM: as root, on Debian. ONLY="-k same" selects tests.
test-cluster: install
	$(BIN)/python -m pytest -rs tests/cluster.py $(ONLY)

# Kills and full disks in every stage, and damaged files.
test-faults: install
	$(BIN)/python -m pytest tests/faults.py tests/mutations.py $(ONLY)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# Needs uv (pip install uv): the newest compatible versions, for all supported Pythons.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
	    --no-header --output-file requirements.lock pyproject.toml

# Deletes everything that can be made again, including trained models.
clean:
	rm -rf work logs corpora/demo training/*/resources
