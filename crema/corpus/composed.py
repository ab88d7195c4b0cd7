r"""Compose, vary and render pieces with meters, idioms and chords rare in pop.

::

    python -m crema.corpus.composed OUTPUT --variants 4 --soundfont A.sf2 B.sf2 --jobs 2

The pieces are those of the demo corpus (:mod:`crema.corpus.demo`): 4/4, 3/4 and 6/8,
straight and swung, blues, jazz, modes, hymns.  Each variant has another key, tempo,
band and melody, and some modulate; tuning, mix and effects are drawn as for the
training songs of :mod:`crema.corpus.pop909`.  All are added to
``OUTPUT/index_train.json``: a model trained on them must not be tested on the demo
corpus.
"""

import argparse
import dataclasses
import functools

from crema.corpus import common, demo, mix, variation
from crema.corpus.arrange import Stem
from crema.corpus.demo.composer import compose, is_bass
from crema.corpus.demo.instruments import INSTRUMENTS
from crema.corpus.render import identify
from crema.exceptions import program as run
from crema.notes import PITCH_CLASSES, split
from crema.utils import cli, index
from crema.utils.rng import generator

#: Increase when a code change alters the sound of a piece.
RECIPE = 2
PREFIX = "composed_"
#: Range of lengths in seconds, before :func:`perform` varies the tempo.
LENGTH = (50.0, 90.0)
#: Share of the pieces that modulate upwards once, and the intervals in semitones.
MODULATIONS, STEPS = 0.3, (1, 2, 3, 5, 7)
#: An instrument can replace another if the centres of their ranges differ by less than
#: so many semitones.
REACH = 5
SINGERS = 0.4


def vary(piece, variant, seed):
    """Draw another key, tempo and band for a piece.

    Parameters
    ----------
    piece : crema.corpus.demo.Piece
        A piece of the demo corpus.
    variant, seed : int
        Seed of the variant.

    Returns
    -------
    crema.corpus.demo.Piece
    """
    rng = generator(seed, "variant", piece.track_id, variant)
    tonic = PITCH_CLASSES[rng.integers(12)]
    band = {}
    for style, instrument in piece.band.items():
        if style != "drums":
            centre = INSTRUMENTS[instrument].centre
            near = [n for n, i in INSTRUMENTS.items() if abs(i.centre - centre) < REACH]
            instrument = near[rng.integers(len(near))]
        band[style] = instrument
    return dataclasses.replace(
        piece,
        track_id=f"{PREFIX}{piece.track_id}_{variant}",
        key=tonic + split(piece.key)[1],
        tempo=float(piece.tempo * rng.uniform(0.85, 1.2)),
        band=band,
    )


def perform(piece, soundfonts, sample_rate, rng):
    """Compose and render a piece.

    Parameters
    ----------
    piece : crema.corpus.demo.Piece
        The piece, as :func:`vary` returns it.
    soundfonts, sample_rate
        See :func:`crema.corpus.mix.record`.
    rng : np.random.Generator
        Draws the performance.

    Returns
    -------
    y : np.ndarray, shape=(samples,)
        Mono audio.
    labels : dict
        ``chords``, ``keys`` and ``beats`` of the audio.
    drawn : dict
        The values drawn.
    """
    written = compose(piece, rng.uniform(*LENGTH))
    singer = rng.random() < SINGERS
    tracks = [
        (style, part.notes, [])
        for style, part in zip(piece.band, written.parts, strict=True)
    ]
    labels = {
        "chords": written.chords,
        "keys": [written.key],
        "beats": written.beats,
        "sections": [],
    }
    drawn = {}
    if rng.random() < MODULATIONS:
        inside = [
            start for start, _, label in written.chords if label != "N" and start > 10
        ]
        if inside:
            step = int(STEPS[rng.integers(len(STEPS))])
            time = inside[rng.integers(len(inside))]
            tracks, labels = variation.modulated(tracks, labels, time, step)
            drawn["modulation"] = step
    tracks, labels = variation.retimed(
        tracks, labels, variation.clock(written.duration, rng)
    )
    stems = {}
    for (style, notes, _), part in zip(tracks, written.parts, strict=True):
        stem = stems.setdefault(_stem(style, singer), [])
        stem.append(part._replace(notes=notes))
    stems = [Stem(name, parts) for name, parts in stems.items()]
    y, mixed = mix.record(stems, soundfonts, sample_rate, rng, mix.TRAINING)
    return y, labels, drawn | mixed


def _stem(style, singer):
    if style in ("melody", "counter"):
        return "voice" if singer and style == "melody" else "melody"
    if style in ("drums", "pad"):
        return style
    return "bass" if is_bass(style) else "chords"


def make_track(output, pieces, soundfonts, settings, track_id):
    """Render a piece unless it already exists with the same settings."""
    if common.is_made(output, track_id, settings):
        return
    rng = generator(settings["seed"], "performance", track_id)
    rate = settings["sample_rate"]
    y, labels, drawn = perform(pieces[track_id], soundfonts, rate, rng)
    jam = annotate(track_id, labels, len(y) / rate)
    jam.sandbox.drawn = drawn
    common.write_rendered(output, track_id, y, jam, settings)


def annotate(track_id, labels, duration):
    """Build the JAMS of one piece.

    Parameters
    ----------
    track_id : str
        Used as the title.
    labels : dict
        Labels returned by :func:`perform`.
    duration : float
        Length of the audio in seconds.

    Returns
    -------
    jams.JAMS
    """
    return common.jam(
        track_id,
        duration,
        {
            "chord": common.cover(labels["chords"], duration, "N"),
            "beat": labels["beats"],
            "key_mode": labels["keys"],
        },
        artist="crema.corpus.composed",
        curator="crema",
        corpus="composed",
        annotation_rules="the score that was rendered",
        data_source="program",
    )


def main(argv=None):
    """Run from the command line; return 1 if a piece could not be rendered."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.composed", description=__doc__.splitlines()[0]
    )
    common.rendering_options(parser)
    add = parser.add_argument
    add(
        "--variants",
        type=int,
        default=4,
        help="variants of each piece (default: %(default)s)",
    )
    args = parser.parse_args(argv)

    varied = (
        (vary(piece, variant, args.seed), piece.family)
        for piece in demo.catalogue()
        for variant in range(args.variants)
    )
    train = args.output / "index_train.json"
    others = index.read_records(train) if train.is_file() else []
    pieces, groups = {}, {}
    for piece, family in varied:
        pieces[piece.track_id] = piece
        groups[piece.track_id] = PREFIX + family
    settings = {
        "recipe": RECIPE,
        "seed": args.seed,
        "sample_rate": args.sample_rate,
        "soundfonts": [identify(f) for f in args.soundfont + args.drum_soundfont],
    }
    fonts = {None: args.soundfont, "drums": args.soundfont + args.drum_soundfont}
    job = functools.partial(make_track, args.output, pieces, fonts, settings)
    rendered, failures = cli.run_all(job, list(pieces), args.jobs)
    records = [row for row in others if not row["track_id"].startswith(PREFIX)]
    records += [
        {"track_id": track, "group": groups[track]}
        for track in pieces
        if track in rendered
    ]
    index.write_index(train, records)
    return common.report(failures)


if __name__ == "__main__":
    run(main)
