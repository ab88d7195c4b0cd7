"""Draw chords, beats and keys over the chroma of the music."""

import colorsys
import io
import pathlib
import warnings
import zlib

import numpy as np

from crema import formats
from crema.audio import LONGEST
from crema.chroma import FRAME, RATE, chromagram
from crema.exceptions import CremaError
from crema.notes import MINOR_MODES, NATURAL, above, split

#: Seconds per row, and the number of rows above which rows get longer instead.
ROW, MOST_ROWS = 30.0, 60
#: Width of the picture, and height of a pitch class with and without chroma, in inches.
WIDTH, UNIT, LOW_UNIT = 16.0, 0.083, 0.108
#: Chord qualities as in lead sheets.
QUALITIES = {
    "": "",
    "maj": "",
    "min": "m",
    "dim": "°",
    "aug": "+",
    "min6": "m6",
    "maj6": "6",
    "min7": "m7",
    "minmaj7": "m(maj7)",
    "dim7": "°7",
    "hdim7": "ø7",
}
#: Bottom and top of the parts of a row; a pitch class has height 1.
CHROMA, BEATS, CHORD_BAR = (0, 12), (12.2, 13.7), (13.9, 18.5)
#: Height of each bar below these, and the gap above the first.
BAR, GAP = 2.3, 0.3
#: Namespaces with a part of their own; any other annotation is a bar.
PLACED = ("chord", "beat", "key_mode")
DOWNBEAT, BEAT, GREY = "#b2182b", "#666666", "#dddddd"
#: Most characters of a title, and of a name left of a bar.
LONGEST_TITLE, LONGEST_NAME = 50, 12
#: Legend of the picture.
LEGEND = "red: downbeats    pale: low confidence    bar below: key"


def encode(path, jam, audio=None):
    """Return a file with the :func:`picture` of a piece.

    Parameters
    ----------
    path : path-like
        Its name, whose suffix gives the format (``.png``, ``.svg``, ``.pdf``).
    jam, audio
        As in :func:`picture`.

    Returns
    -------
    bytes

    Raises
    ------
    CremaError
        There is nothing to draw, matplotlib is not installed, or it cannot write this
        format.
    """
    drawn = picture(jam, audio)
    form = pathlib.Path(path).suffix.lower().lstrip(".")
    if form not in drawn.canvas.get_supported_filetypes():
        raise CremaError(
            f"{path}: matplotlib cannot write this format; name it .png, .svg or .pdf"
        )
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # matplotlib warns of each character of a title that the font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        metadata = {"Software": "crema"} if form == "png" else None
        drawn.savefig(stream, dpi=110, format=form, metadata=metadata)
    return stream.getvalue()


def is_own(path):
    """Return whether a PNG file was drawn by crema."""
    with open(path, "rb") as stream:
        return b"tEXtSoftware\0crema" in stream.read(1000)


def picture(jam, audio=None):
    """Draw the annotations of a piece, 30 s in a row.

    Parameters
    ----------
    jam : jams.JAMS
        The annotations.  The first of chords, the first of beats and the last of keys
        are drawn, and all of other namespaces whose values are text or numbers.
    audio : crema.audio.Audio, optional
        The audio; without it, no chroma is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    CremaError
        There is nothing to draw, or matplotlib is not installed.
    """
    figure_class = library()
    chords, beats, keys = (jam.search(namespace=f"{name}$") for name in PLACED)
    others = {
        name: other for name, other in formats.named(jam).items() if is_bar(other)
    }
    if not (chords or beats or keys or others):
        raise CremaError("there are no annotations to draw")
    duration = length(jam, audio)
    seconds = max(ROW, duration / MOST_ROWS)
    n_rows = max(1, int(np.ceil(duration / seconds)))
    bottom = lane(audio, len(others))[0]
    height = (UNIT if audio else LOW_UNIT) * (CHORD_BAR[1] - bottom)
    figure = figure_class(figsize=(WIDTH, 0.75 + n_rows * height), layout="constrained")
    text = title(jam, duration)
    figure.suptitle(text, x=0.01, ha="left", fontsize=13, parse_math=False)
    top = 1 - 0.04 / figure.get_figheight()
    figure.text(0.99, top, LEGEND, ha="right", va="top", fontsize=9, color=BEAT)
    axes = figure.subplots(n_rows, 1, squeeze=False)[:, 0]
    chroma = levels(audio) if audio else None
    for row, axis in enumerate(axes):
        start = row * seconds
        end = min(start + seconds, duration)
        frame(axis, start, seconds, end, chroma, others)
        if chords:
            draw_chords(axis, chords[0], start, end)
        if keys:
            draw_keys(axis, keys[-1], start, end)
        if beats:
            draw_beats(axis, beats[0], start, end)
        for number, other in enumerate(others.values(), 1):
            draw_bar(axis, other, number, start, end)
    return figure


def is_bar(annotation):
    """Return whether an annotation is drawn as a bar of its own."""
    values = [observation.value for observation in annotation.data]
    return (
        annotation.namespace not in PLACED
        and bool(values)
        and all(isinstance(value, (str, int, float)) for value in values)
    )


def lane(chroma, number):
    """Return the bottom and the top of a bar; bar 0 is the key, others lie below it."""
    top = (CHROMA if chroma else BEATS)[0] - GAP - number * BAR
    return top - BAR, top


def library():
    """Return matplotlib's class of figures, which needs no display.

    Raises
    ------
    CremaError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise CremaError(
            "plotting needs matplotlib, which is not installed: pip install matplotlib"
        ) from error
    return Figure


def length(jam, audio):
    """Return the duration in seconds of the audio, or else of the annotations.

    Raises
    ------
    CremaError
        The annotations are longer than any audio.
    """
    if audio:
        return audio.duration
    ends = [
        observation.time + observation.duration
        for annotation in jam.annotations
        for observation in annotation.data
    ]
    seconds = float(jam.file_metadata.duration or max(ends, default=0.0))
    if seconds > LONGEST:
        raise CremaError(
            f"the annotations last {seconds:.0f} s, more than {LONGEST / 3600:.0f} "
            "hours; is their time in seconds?"
        )
    return seconds


def title(jam, duration):
    """Return the heading of a picture: title, duration, key and tempo of the piece."""
    name = jam.file_metadata.title or "untitled"
    if len(name) > LONGEST_TITLE:
        name = f"{name[: LONGEST_TITLE - 1]}…"
    parts = [name, clock(duration)]
    keys, beats = (jam.search(namespace=f"{name}$") for name in ("key_mode", "beat"))
    if keys and len(keys[0].data) == 1:
        parts.append(key_name(keys[0].data[0].value))
    # Beats can be annotated twice.
    times = np.unique([beat.time for beat in beats[0].data]) if beats else []
    if len(times) > 1:
        parts.append(f"{60 / np.median(np.diff(times)):.0f} beats per minute")
    return "   ·   ".join(parts)


def levels(audio):
    """Return the chroma of the audio, shape=(12, n_frames), in [0, 1].

    Each frame is divided by its maximum, unless it is so quiet that it is noise.
    """
    chroma = chromagram(audio.at(RATE), RATE)
    loudest = chroma.max(axis=0)
    return chroma / np.maximum(loudest, max(0.1 * np.percentile(loudest, 90), 1e-9))


def frame(axis, start, seconds, end, chroma, bars):
    """Draw an empty row: the axes, the chroma if given, and the names of the bars."""
    step = next(step for step in (5, 10, 30, 60, 300, 3600) if seconds / step < 12)
    ticks = np.arange(np.ceil(start / step) * step, end + 1e-9, step)
    axis.set_xticks(ticks, [clock(tick) for tick in ticks], fontsize=8)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=2, pad=2)
    places = {}
    if chroma is not None:
        first = int(start / FRAME)
        shown = chroma[:, first : int(end / FRAME) + 2]
        axis.imshow(
            shown,
            extent=(
                (first - 0.5) * FRAME,
                (first + shown.shape[1] - 0.5) * FRAME,
                *CHROMA,
            ),
            origin="lower",
            aspect="auto",
            cmap="Greys",
            vmax=1.4,
            interpolation="nearest",
        )
        places = {NATURAL[note] + 0.5: note for note in "CDEGAB"}
    for number, name in enumerate(bars, 1):
        places[sum(lane(over_chroma(axis), number)) / 2] = name[:LONGEST_NAME]
    axis.set_yticks(list(places), list(places.values()), fontsize=6)
    axis.set_xlim(start, start + seconds)
    axis.set_ylim(lane(over_chroma(axis), len(bars))[0], CHORD_BAR[1])


def over_chroma(axis):
    """Return whether a row shows chroma."""
    return bool(axis.images)


def draw_chords(axis, annotation, start, end):
    """Draw a box for each chord in the colour of its root, paler if less confident."""
    for left, right, observation in within(annotation, start, end):
        root, _ = split(observation.value)
        minor = ":min" in observation.value or "dim" in observation.value
        sure = observation.confidence
        box(axis, left, right, CHORD_BAR, colour(root, minor, sure))
        write(axis, left, right, CHORD_BAR, chord_name(observation.value))


def draw_keys(axis, annotation, start, end):
    """Draw a bar for each key in the colour of its tonic, paler if less confident."""
    place = lane(over_chroma(axis), 0)
    for left, right, observation in within(annotation, start, end):
        tonic, mode = split(observation.value)
        sure = observation.confidence
        box(axis, left, right, place, colour(tonic, mode in MINOR_MODES, sure))
        write(axis, left, right, place, key_name(observation.value), sizes=(8,))


def draw_beats(axis, annotation, start, end):
    """Draw a tick for each beat, and a line through the chroma for a downbeat."""
    times = {True: [], False: []}
    for left, _, observation in within(annotation, start, end):
        times[observation.value == 1].append(left)
    axis.vlines(times[False], *BEATS, color=BEAT, linewidth=1)
    axis.vlines(times[True], *BEATS, color=DOWNBEAT, linewidth=2.2)
    if over_chroma(axis):
        axis.vlines(times[True], *CHROMA, color=DOWNBEAT, linewidth=0.7)


def draw_bar(axis, annotation, number, start, end):
    """Draw an annotation of any other kind, with a colour for each value."""
    place = lane(over_chroma(axis), number)
    points = []
    for left, right, observation in within(annotation, start, end):
        text = str(observation.value)
        hue = zlib.crc32(text.encode()) % 12
        if left == right:
            points.append(left)
        else:
            box(axis, left, right, place, colour(hue, sure=observation.confidence))
            write(axis, left, right, place, text, sizes=(8,))
    axis.vlines(points, *place, color=BEAT, linewidth=1)


def within(annotation, start, end):
    """Yield start, end and observation of the part of an annotation in a row."""
    for observation in annotation.data:
        left = max(observation.time, start)
        right = min(observation.time + observation.duration, end)
        if left < right or left == right == observation.time < end:
            yield left, right, observation


def box(axis, left, right, place, face):
    """Draw a rectangle between two times."""
    axis.broken_barh(
        [(left, right - left)],
        (place[0], place[1] - place[0]),
        facecolor=face,
        edgecolor="white",
        linewidth=0.8,
    )


def write(axis, left, right, place, text, sizes=(10, 8)):
    """Write a label into a box: the largest that fits, else sideways, else none."""
    across = axis.get_xlim()
    width = (right - left) / (across[1] - across[0]) * WIDTH * 0.96
    height = (place[1] - place[0]) * (UNIT if over_chroma(axis) else LOW_UNIT) * 0.8
    for size, rotation in (*((size, 0) for size in sizes), (7, 90)):
        # A letter's width is about 0.62 of its height.
        long, high = (0.62 * len(text) + 0.4) * size / 72, size / 72
        if (long <= width) if not rotation else (high <= width and long <= height):
            axis.text(
                (left + right) / 2,
                sum(place) / 2,
                text,
                fontsize=size,
                rotation=rotation,
                parse_math=False,
                ha="center",
                va="center_baseline" if not rotation else "center",
            )
            return


def colour(root, minor=False, sure=None):
    """Return the colour of a root: neighbours in the circle of fifths look alike.

    Parameters
    ----------
    root : int or None
        Pitch class; None gives grey.
    minor : bool
        Whether to darken the colour.
    sure : object, optional
        Confidence; a lower number gives a paler colour.
    """
    if root is None:
        return GREY
    rgb = np.asarray(
        colorsys.hls_to_rgb(root * 7 % 12 / 12, 0.66 if minor else 0.78, 0.65)
    )
    # JAMS allows any value.
    known = isinstance(sure, (int, float))
    strength = 0.25 + 0.75 * np.clip(sure, 0, 1) if known else 1.0
    return tuple(1 - strength * (1 - rgb))


def chord_name(label):
    """Return a chord in Harte syntax as written in lead sheets.

    Examples
    --------
    >>> chord_name("Bb:min7/b3")
    'B♭m7/D♭'
    """
    root, rest = split(label)
    if root is None:
        return {"N": "N.C.", "X": "?"}.get(label, label)
    note = label.removesuffix(rest)
    quality, _, bass = rest.lstrip(":").partition("/")
    text = printed(note) + QUALITIES.get(quality, quality)
    return f"{text}/{printed(above(note, bass))}" if bass else text


def key_name(label):
    """Return a key as it is written: ``E♭ major``."""
    tonic, rest = split(label)
    if tonic is None:
        return label
    return f"{printed(label.removesuffix(rest))} {rest.lstrip(':')}".strip()


def printed(note):
    """Return the name of a note with the signs of printed music."""
    return note.replace("b", "♭").replace("#", "♯")


def clock(seconds):
    """Return a time as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
