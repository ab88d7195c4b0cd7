"""Read text files of chords, beats and keys.

Empty lines and lines that begin with ``#`` are skipped.  Times are in seconds.  Below
the heading ``start,end,label`` or ``time,label``, as in the CSV files of crema, fields
are separated by commas, and further columns are ignored.
"""

import csv
import functools
import math
import pathlib
import re

from crema.exceptions import AnnotationError
from crema.notes import MODES

#: Seconds by which consecutive segments may overlap: files are rounded.
OVERLAP = 0.05
#: Longer bars mean that a file numbers the beats of the piece, not of the bar.
LONGEST_BAR = 32

_HEADING = re.compile(r"(time|start,end),label\b", re.I)
_MODES = {
    "": "major",
    "maj": "major",
    "m": "minor",
    "min": "minor",
    **{mode: mode for mode in MODES},
}


@functools.cache
def check_chord(label):
    """Return a chord label if it is valid.

    Parameters
    ----------
    label : str
        In the syntax of Harte et al. (2005), as extended by mir_eval: ``A:min7/b3``,
        ``D``, ``N`` for no chord, ``X`` for a chord outside any vocabulary.

    Returns
    -------
    str
        `label`.

    Raises
    ------
    ValueError
        mir_eval cannot parse it.
    """
    import mir_eval

    try:
        mir_eval.chord.encode(label)
    except mir_eval.chord.InvalidChordException as error:
        raise ValueError(
            f"{label!r} is not a chord in Harte syntax (A:min7/b3, D, N, X)"
        ) from error
    return label


def key_mode(text):
    """Convert a key to the syntax of the JAMS namespace ``key_mode``.

    Parameters
    ----------
    text : str
        A note, and a mode unless it is major: ``C major``, ``C:minor``, ``C#m``,
        ``Ab min``, ``D dorian``, ``E``.  ``N`` and ``Silence`` mean no key, ``X`` and
        ``unknown`` an unknown key.

    Returns
    -------
    str or None
        For example ``C:major``, ``F#:minor`` or ``N``; None if the key is unknown.

    Raises
    ------
    ValueError
        `text` is not a key.
    """
    text = text.strip().replace("♯", "#").replace("♭", "b")
    if text in {"N", "Silence"}:
        return "N"
    if text.lower() in {"x", "unknown"}:
        return None
    match = re.fullmatch(r"([A-Ga-g])([#b]?)[\s:]*([A-Za-z]*)", text)
    if match:
        tonic, accidental, mode = match.groups()
        # As a mode, M means major and m means minor.
        mode = "major" if mode == "M" else _MODES.get(mode.lower())
        # Reject a lone lower-case letter: in some files it means minor.
        if mode and (tonic.isupper() or match[3]):
            return f"{tonic.upper()}{accidental}:{mode}"
    raise ValueError(f"{text!r} is not a key (C:major, F# minor, Abm, D dorian, E)")


def read_chords(path):
    """Read chords from lines ``start end label``.

    Parameters
    ----------
    path : path-like
        Fields are separated by blanks or tabs.

    Returns
    -------
    list of (float, float, str)
        Start, end and label, in order; nothing if the file is empty.

    Raises
    ------
    AnnotationError
        The file cannot be read, or has a malformed line; the message names file and
        line.
    """
    return _segments(check_chord, _lines(path))


def read_keys(path):
    """Read keys of segments or of the whole track.

    Parameters
    ----------
    path : path-like
        Lines ``start end KEY``, ``start end Key KEY`` and ``start end Silence``
        (Isophonics), lines ``key start KEY`` (GiantSteps), or one line ``KEY`` for the
        whole track; :func:`key_mode` defines the keys.

    Returns
    -------
    list of (float, float, str)
        Start, end and key, in order.  A key that lasts until the end of the track ends
        at infinity.  Unknown keys are left out.

    Raises
    ------
    AnnotationError
        As in :func:`read_chords`.
    """
    lines = list(_lines(path))
    if len(lines) == 1 and not re.match(r"-?\.?\d|key\s", lines[0][1], re.I):
        where, text = lines[0]
        key = _parse(key_mode, text, where)
        return [(0.0, math.inf, key)] if key else []
    if all(re.match(r"key\s+\S", text, re.I) for _, text in lines):
        rows = [(where, *text.split(None, 2)[1:]) for where, text in lines]
        # Each key lasts until the next.
        ends = [start for _, start, *_ in rows[1:]] + ["inf"]
        lines = [
            (where, " ".join([start, end, *key]))
            for (where, start, *key), end in zip(rows, ends, strict=False)
        ]
    return _segments(lambda text: key_mode(re.sub(r"^Key\s+", "", text)), lines)


def read_beats(path):
    """Read beats from lines ``time``, ``time position`` or ``time time position``.

    Parameters
    ----------
    path : path-like
        Fields are separated by blanks, tabs or a comma.  Positions in the bar count
        from 1 (Isophonics, Ballroom, GTZAN, Hainsworth) or are ``bar.beat`` throughout
        the file (Candombe); ``New Point`` (Isophonics) is an unknown position.  Label
        tracks of Audacity repeat the time; a tab and no position follow it if the
        position is unknown.

    Returns
    -------
    list of (float, int or None)
        Time and position in the bar, in order.

    Raises
    ------
    AnnotationError
        As in :func:`read_chords`.
    """
    rows, last = [], -math.inf
    for where, text in _lines(path):
        text = re.sub(r"^(\S+)\s+\1(?=\t|\s+\S)", r"\1", text)
        time, _, position = re.sub(r"[\s,]+", " ", text).strip().partition(" ")
        time = _time(time, where)
        if time <= last:
            raise AnnotationError(
                f"{where}: {time:g} s is not later than the preceding beat"
            )
        last = time
        rows.append((where, time, None if position == "New Point" else position))
    barred = any(re.fullmatch(r"\d+\.0*[1-9]\d*", row[2] or "") for row in rows)
    parse = _bar_beat() if barred else _position
    return [(time, parse(text, where) if text else None) for where, time, text in rows]


def _position(text, where):
    """Convert a position in the bar: ``3``, or ``3.0`` as numpy writes it."""
    try:
        position = float(text)
    except ValueError:
        position = math.nan
    if position not in range(1, LONGEST_BAR + 1):
        raise AnnotationError(
            f"{where}: {text!r} is not a position in the bar, counted from 1"
        )
    return int(position)


def _bar_beat():
    """Return a parser of ``bar.beat`` that requires increasing values."""
    last = (-1, 0)

    def parse(text, where):
        nonlocal last
        match = re.fullmatch(r"(\d+)\.(\d+)", text)
        now = (int(match[1]), int(match[2])) if match else last
        # Values that fall back to 1 are not bar.beat but half beats, or a mistake.
        if now <= last or not now[1]:
            raise AnnotationError(
                f"{where}: {text!r} is neither a position in the bar (1, 2, ...) nor a "
                "bar.beat later than the preceding one"
            )
        last = now
        return now[1]

    return parse


def _segments(parse, lines):
    """Read lines ``start end label``; drop a segment if `parse` returns None."""
    segments, previous = [], -math.inf
    for where, text in lines:
        fields = text.split(None, 2)
        if len(fields) < 3:
            raise AnnotationError(f"{where}: {text!r} is not 'start end label'")
        start = _time(fields[0], where)
        end = _time(fields[1], where, math.inf)
        if end < start:
            raise AnnotationError(f"{where}: ends at {end:g} s, before its start")
        if start < previous - OVERLAP:
            raise AnnotationError(
                f"{where}: starts at {start:g} s, before the preceding segment ends"
            )
        previous = max(end, previous)
        label = _parse(parse, fields[2].rstrip(), where)
        if label is not None:
            segments.append((start, end, label))
    return segments


def _parse(parse, text, where):
    try:
        return parse(text)
    except ValueError as error:
        raise AnnotationError(f"{where}: {error}") from error


def _time(text, where, latest=1e9):
    try:
        time = float(text)
    except ValueError:
        time = math.nan
    if not -1e9 <= time <= latest:
        raise AnnotationError(f"{where}: {text!r} is not a time in seconds")
    return time


def _lines(path):
    """Yield the location of each line, for error messages, and its text.

    Fields of CSV are joined by blanks.  Blanks and tabs at the end are kept.
    """
    try:
        content = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise AnnotationError(f"{path}: is not UTF-8 text; convert it") from error
    columns = None
    for number, line in enumerate(content.splitlines(), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        if heading := _HEADING.match(line):
            columns = heading[0].count(",") + 1
            continue
        if columns:
            line = " ".join(next(csv.reader([line]))[:columns])
        yield f"{path}, line {number}", line
