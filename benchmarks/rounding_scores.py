"""Compare the scores of a trained model on 8-bit and on float32 features.

    python benchmarks/rounding_scores.py CORPUS_DIR INDEX RESOURCES [--estimator chord]

Training and prediction use features rounded to 8 bits.  The model in RESOURCES
annotates each track of INDEX twice, from features in 8 bits and from the same features
in float32, and both are scored as in evaluation.  Target: the duration-weighted means
differ by at most 0.005.
"""

import argparse
import importlib.util
import pathlib
import sys

import numpy as np

from crema import backend, models, network
from crema.audio import Audio
from crema.utils import evaluate, index

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = 0.005


def load_score(estimator):
    """Return the function ``score`` of an estimator's 03-evaluate.py."""
    path = ROOT / "training" / estimator / "03-evaluate.py"
    spec = importlib.util.spec_from_file_location("stage", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score


def exact(directory):
    """Load a model again, with float32 features as its input."""
    keras = backend.keras()
    model = models.load(directory)
    model.network = network.load(directory / "model.h5")
    rounded = model.network.model
    new = [
        keras.Input(old.shape[1:], dtype="float32", name=old.name)
        for old in rounded.inputs
    ]
    model.network.model = keras.models.clone_model(rounded, input_tensors=new)
    model.network.model.set_weights(rounded.get_weights())
    for operator in model.extractors:
        operator.dtype = np.dtype("float32")
    return model


def main(argv=None):
    """Print the scores and their differences; return 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("index", type=pathlib.Path)
    parser.add_argument("resources", type=pathlib.Path)
    parser.add_argument("--estimator", default="chord")
    args = parser.parse_args(argv)
    score = load_score(args.estimator)
    kinds = {"8 bits": models.load(args.resources), "exact": exact(args.resources)}
    corpus = index.Corpus(args.corpus)
    durations, scores = [], {kind: [] for kind in kinds}
    furthest = 0.0
    for track in index.read_index(args.index):
        audio = Audio(filename=corpus.audio(track))
        durations.append(audio.duration)
        posteriors = []
        for kind, model in kinds.items():
            outputs = model.posteriors(audio)
            posteriors.append(outputs[model.output_names[0]])
            estimates = model.decode(outputs, audio.duration)
            reference = evaluate.reference_of(
                corpus.jams(track), estimates[0].namespace
            )
            scores[kind].append(score(reference, *estimates))
        furthest = max(furthest, float(np.abs(posteriors[0] - posteriors[1]).max()))
        print(track, file=sys.stderr, flush=True)
    good = True
    print(f"{'':16}{'8 bits':>9}{'exact':>9}{'difference':>12}")
    for name in scores["exact"][0]:
        means = []
        for kind in kinds:
            values = [row[name] for row in scores[kind]]
            scored = [value is not None for value in values]
            means.append(
                np.average(
                    [value for value in values if value is not None],
                    weights=np.asarray(durations)[scored],
                )
                if any(scored)
                else np.nan
            )
        difference = means[0] - means[1]
        good &= not abs(difference) > TARGET
        print(f"{name:16}{means[0]:9.4f}{means[1]:9.4f}{difference:12.4f}")
    print(f"posteriors differ by at most {furthest:.4f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
