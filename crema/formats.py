"""Output formats: JAMS, label files, CSV, JSON and posteriors.

``lab`` is the format of Audacity's label tracks, which most MIR tools read:
``start<TAB>end<TAB>label`` without a header; a beat ends where it starts.  ``csv`` has
a header from which Sonic Visualiser (File > Import Annotation Layer) knows the columns.
Both hold one annotation per file; ``json`` holds all of them.
"""

import csv
import io
import itertools
import json
import pathlib

import numpy as np

from crema.exceptions import CremaError
from crema.utils import jamsfile
from crema.version import __version__

FORMATS = ("jams", "lab", "csv", "json")
#: Formats that hold one annotation per file.
APART = ("lab", "csv")
#: Format of each suffix of file names.
SUFFIXES = {f".{name}": name for name in FORMATS} | {".jamz": "jams"}


def infer(path):
    """Return the format for the suffix of a file name.

    Raises
    ------
    CremaError
        The suffix is unknown.
    """
    form = SUFFIXES.get(pathlib.Path(path).suffix.lower())
    if form is None:
        raise CremaError(
            f"{path}: the output name must end in .jams, .jamz, .lab, .csv or .json"
        )
    return form


def named(jam):
    """Return the annotations of a JAMS object by name.

    Parameters
    ----------
    jam : jams.JAMS

    Returns
    -------
    dict of str to jams.Annotation
        Annotations by the names that estimators gave them (``chord``, ``local_key``),
        or else by namespace; a repeated name gets a number, as in ``chord_2``.
    """
    annotations = {}
    for annotation in jam.annotations:
        name = getattr(annotation.sandbox, "name", None) or annotation.namespace
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        names = itertools.chain([name], numbered)
        annotations[next(n for n in names if n not in annotations)] = annotation
    return annotations


def files(path, jam, form="jams"):
    """Return the files that hold the annotations of a piece.

    Parameters
    ----------
    path : path-like
        The file.  If the format holds one annotation per file and there are several,
        the name of each precedes the suffix: ``song.chord.lab`` for ``song.lab``.
    jam : jams.JAMS
        The annotations.
    form : {'jams', 'lab', 'csv', 'json'}
        The format.

    Returns
    -------
    dict of pathlib.Path to bytes
        The content of each file.

    Raises
    ------
    AnnotationError
        The annotations are not valid JAMS.
    """
    path = pathlib.Path(path)
    if form == "jams":
        return {path: jamsfile.encode(path, jam)}
    contents = texts(jam, form)
    encoded = (text.encode() for text in contents.values())
    return dict(zip(paths(path, contents), encoded, strict=True))


def paths(path, names):
    """Name the files of annotations that have one file each.

    Parameters
    ----------
    path : path-like
        The output that the user names.
    names : collection of str
        Names of the annotations.

    Returns
    -------
    list of pathlib.Path
        One per name, with the name before the suffix if there are several.
    """
    path = pathlib.Path(path)
    if len(names) == 1:
        return [path]
    return [path.with_name(f"{path.stem}.{name}{path.suffix}") for name in names]


def texts(jam, form):
    """Return the annotations of a piece as text.

    Parameters
    ----------
    jam : jams.JAMS
        The annotations.
    form : {'jams', 'lab', 'csv', 'json'}
        The format.

    Returns
    -------
    dict of str to str
        Each text by the name of its annotation; the name is empty if one text holds all
        annotations.
    """
    if form == "jams":
        return {"": jam.dumps(indent=2) + "\n"}
    if form == "json":
        text = json.dumps(plain(jam), indent=2, allow_nan=False, ensure_ascii=False)
        return {"": text + "\n"}
    convert = {"lab": as_lab, "csv": as_csv}[form]
    return {name: convert(annotation) for name, annotation in named(jam).items()}


def as_lab(annotation):
    """Format an annotation as lines ``start<TAB>end<TAB>label``, times in seconds."""
    return "".join(
        f"{start:.3f}\t{end:.3f}\t{label}\n"
        for start, end, label, _ in rows(annotation)
    )


def as_csv(annotation):
    """Format an annotation as CSV with a header, times in seconds.

    Segments have the columns start, end, label and confidence; beats have time, label
    (position in the bar) and confidence.
    """
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    points = is_points(annotation)
    # Sonic Visualiser looks for the words time and label.
    table.writerow([*(["time"] if points else ["start", "end"]), "label", "confidence"])
    for start, end, label, confidence in rows(annotation):
        times = [f"{start:.3f}"] if points else [f"{start:.3f}", f"{end:.3f}"]
        score = "" if confidence is None else f"{confidence:.3f}"
        table.writerow([*times, label, score])
    return stream.getvalue()


def plain(jam):
    """Return the annotations as plain lists and dicts.

    Parameters
    ----------
    jam : jams.JAMS

    Returns
    -------
    dict
        ``title``, ``duration`` in seconds, ``crema`` (version of the program),
        ``models`` (version of the model of each annotation), and for each annotation a
        list of segments ``{"start", "end", "label", "confidence"}`` or of beats
        ``{"time", "position", "confidence"}``.
    """
    annotations = named(jam)
    result = {
        "title": jam.file_metadata.title,
        "duration": round(float(jam.file_metadata.duration), 3),
        "crema": __version__,
        "models": {
            name: annotation.annotation_metadata.version
            for name, annotation in annotations.items()
        },
    }
    for name, annotation in annotations.items():
        points = is_points(annotation)
        content = "position" if annotation.namespace == "beat" else "label"
        result[name] = [
            ({"time": start} if points else {"start": start, "end": end})
            | {content: observation.value, "confidence": confidence}
            for observation, (start, end, _, confidence) in zip(
                annotation.data, rows(annotation), strict=True
            )
        ]
    return result


def posteriors(audio, estimators):
    """Return a file with the posteriors of models, before decoding.

    Parameters
    ----------
    audio : crema.audio.Audio
        The piece.
    estimators : sequence of crema.models.base.Estimator
        The models.

    Returns
    -------
    bytes
        The content of an ``.npz`` file, which ``np.load`` reads; it contains no
        pickles.

    Notes
    -----
    For each output of a network, such as ``key.local``, the file holds

    - ``key.local``, shape=(n_frames, n_classes), or (n_classes,) for an output about
      the whole piece: posterior probabilities;
    - ``key.local.time``, shape=(n_frames,): the centre of each frame in seconds, if the
      output has frames;
    - ``key.local.classes``, shape=(n_classes,): labels of the classes.

    It also holds ``duration`` in seconds, and ``models`` and ``versions``,
    shape=(n_models,): the names of the estimators and the versions of their models.
    """
    arrays = {
        "duration": np.float64(audio.duration),
        "models": np.asarray([estimator.name for estimator in estimators]),
        "versions": np.asarray([estimator.version for estimator in estimators]),
    }
    for estimator in estimators:
        for name, posterior in estimator.posteriors(audio).items():
            arrays[name] = posterior
            arrays[f"{name}.classes"] = np.asarray(classes(estimator, name, posterior))
            if posterior.ndim > 1:
                arrays[f"{name}.time"] = np.arange(len(posterior)) * estimator.hop
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def classes(estimator, name, posterior):
    """Return the labels of an output's classes, or their indices if it has none."""
    labels = estimator.classes
    return list(labels.get(name, map(str, range(posterior.shape[-1]))))


def rows(annotation):
    """Yield start, end, label and confidence of each observation, rounded to 1/1000."""
    for observation in annotation.data:
        end = observation.time + observation.duration
        confidence = observation.confidence
        yield (
            round(float(observation.time), 3),
            round(float(end), 3),
            ""
            if observation.value is None
            else " ".join(str(observation.value).split()),
            None if confidence is None else round(float(confidence), 3),
        )


def is_points(annotation):
    """Return whether an annotation consists of points in time, such as beats."""
    return annotation.namespace == "beat" or not any(
        observation.duration for observation in annotation.data
    )
