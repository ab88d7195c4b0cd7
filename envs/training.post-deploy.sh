#!/usr/bin/env bash
# PySoundFile, the abandoned former name of soundfile, overwrites its module.
set -euo pipefail
python -m pip uninstall --yes pysoundfile
python -m pip install --force-reinstall --no-deps soundfile==0.14.0
