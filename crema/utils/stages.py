"""The code that decides the result of each stage.

Snakemake does not see imports.  These files are inputs of a stage's rule, so that the
stage runs again after a change; code that only carries data (files, indexes, options,
errors) is not among them.  This module imports nothing, because every job of a cluster
reads it.
"""

PUMP = (
    "crema/pump.py",
    "crema/stored.py",
    "crema/features.py",
    "crema/constantq.py",
    "crema/notes.py",
    "crema/tasks/{estimator}.py",
)
#: Paths in the checkout, by stage; ``{estimator}`` stands for its name.
CODE = {
    "setup": ("crema/utils/setup.py", "crema/deformers.py", "crema/notes.py"),
    "prepare": ("crema/utils/prepare.py", *PUMP),
    "train": (
        "crema/utils/train.py",
        "crema/utils/initial.py",
        "crema/utils/fit.py",
        "crema/utils/sampling.py",
        "crema/utils/rng.py",
        "crema/layers/__init__.py",
    ),
    "evaluate": (
        "crema/utils/evaluate.py",
        "crema/analyze.py",
        "crema/audio.py",
        "crema/segments.py",
        "crema/pulse.py",
        "crema/network.py",
        "crema/models/base.py",
        "crema/models/{estimator}.py",
        *PUMP,
    ),
}
