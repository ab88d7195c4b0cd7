"""The code that decides the result of each stage.

Snakemake does not see imports.  These files are inputs of a stage's rule, so that the
stage runs again after a change; code that only carries data (files, options, errors) is
not among them.  This module imports only the standard library, because every
job of a cluster reads it.
"""

import functools
import pathlib

#: The checkout.
ROOT = pathlib.Path(__file__).parents[2]
PUMP = (
    "crema/pump.py",
    "crema/stored.py",
    "crema/features.py",
    "crema/constantq.py",
    "crema/samples.py",
    "crema/notes.py",
    "crema/tasks/{estimator}.py",
)
#: Patterns of paths in the checkout, by stage; ``{estimator}`` stands for its name.
CODE = {
    "setup": (
        "crema/utils/setup.py",
        "crema/deformers.py",
        "crema/samples.py",
        "crema/notes.py",
    ),
    "prepare": ("crema/utils/prepare.py", *PUMP),
    "train": (
        "crema/utils/train.py",
        "crema/utils/initial.py",
        "crema/utils/fit.py",
        "crema/utils/index.py",
        "crema/utils/sampling.py",
        "crema/utils/rng.py",
        "crema/layers/__init__.py",
        "crema/layers/{estimator}.py",
    ),
    "evaluate": (
        "crema/utils/evaluate.py",
        "crema/utils/statistics.py",
        "crema/utils/rng.py",
        "crema/analyze.py",
        "crema/audio.py",
        "crema/chroma.py",
        "crema/segments.py",
        "crema/network.py",
        "crema/models/base.py",
        "crema/models/{estimator}.py",
        "crema/models/{estimator}_*.py",
        *PUMP,
    ),
}


@functools.cache
def files(stage, estimator):
    """List the files of code that decide the result of a stage.

    Parameters
    ----------
    stage : str
        A key of ``CODE``.
    estimator : str
        Its name.

    Returns
    -------
    tuple of str
        Paths relative to the checkout, of the files that exist: an estimator need not
        have layers or helper modules of its own.
    """
    patterns = [pattern.format(estimator=estimator) for pattern in CODE[stage]]
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return tuple(str(path.relative_to(ROOT)) for path in found)
