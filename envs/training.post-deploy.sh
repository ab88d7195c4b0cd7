#!/usr/bin/env bash
# PySoundFile is an abandoned name of soundfile and installs the same module over it.
set -euo pipefail
python -m pip uninstall --yes pysoundfile
python -m pip install --force-reinstall --no-deps soundfile==0.14.0
