# The first target installs what is needed and runs the chord estimator on the demo
# corpus; `make test` runs everything that CI runs.

PYTHON ?= python3
BIN := .venv/bin
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

.PHONY: demo install test test-cluster test-faults lint lock clean

demo: install
	$(BIN)/snakemake --cores $(CORES) training/chord/resources/test_data.json
	@tail -n 25 logs/chord/evaluate.log
	@echo "beat and key: $(BIN)/snakemake --cores $(CORES) training/{beat,key}/resources/test_data.json"

# The lock names every package, so that nothing is resolved and nothing is added.
install: .venv/installed
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "the lock is for Python 3.11 to 3.13: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Side by side, the tests of a file one after the other: they share what they build.
test: install lint
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 \
	    --dist loadfile --no-loadscope-reorder

# On a real SLURM: as root, on Debian. ONLY="-k same" runs a part.
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

# Needs uv (pip install uv): newest versions that work together, for all Pythons.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
	    --no-header --output-file requirements.lock pyproject.toml

# What can be made again, trained models among it.
clean:
	rm -rf work logs corpora/demo training/*/resources
