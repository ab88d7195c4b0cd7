r"""Render the POP909 songs into a corpus of audio and JAMS.

::

    python -m crema.corpus.pop909 SOURCE OUTPUT --soundfont A.sf2 B.sf2 \
        --test-soundfont C.sf2 --tracks 40 --jobs 2

SOURCE holds ``tracks.tsv`` (columns id and artist), ``midi/ID.mid`` (tracks MELODY,
BRIDGE and PIANO) and ``labels/ID.json``: ``chords``, ``keys`` and ``sections`` as
[start, end, label], ``beats`` as [time, position in bar or null], in seconds.

Everything is a piano in these files, and no recording sounds like that.  So each song
to train on is drawn at random: its key, its tempo, its line-up (:mod:`.arrange`), its
tuning, mix and effects (:mod:`.mix`).  The songs of the test split keep key and tempo,
and are played with a soundfont and effects that training never hears.

With ``--renditions``, each song to train on is drawn that many times, and with
``--idioms`` that many times more as what it is not: metal, dance music, a piano that
takes its time (:mod:`.idioms`).  A song is always rendered in the same way and stays on
its side of the split, however many songs and renditions are asked for; a second run
renders only what is missing or was made with other settings.
"""

import argparse
import csv
import functools
import hashlib
import json
import pathlib
from typing import NamedTuple

from crema.corpus import idioms, mix, variation
from crema.corpus.arrange import arrange, read_tracks
from crema.corpus.common import (
    annotation,
    cover,
    is_made,
    rendering_options,
    report,
    run_all,
    write_rendered,
)
from crema.corpus.render import identify
from crema.exceptions import AnnotationError, ConfigError, CorpusError, CremaError
from crema.exceptions import program as run
from crema.utils import index
from crema.utils.rng import generator

#: Raise it when a change of the code changes what a song sounds like.
RECIPE = 3

_SOURCES = {
    "chord": ("POP909-CL", "chords of the MIDI performance, reviewed by hand"),
    "beat": ("POP909", "beats of the MIDI performance; position None: bars unknown"),
    "key_mode": ("POP909-CL", "the first key of a song is machine-made"),
    "segment_open": ("hierarchical-structure-analysis", "sections aligned by hand"),
}


class Song(NamedTuple):
    """One song of the source and how it is to be rendered, one time of several."""

    id: str
    artist: str
    is_test: bool
    soundfonts: list
    drum_soundfonts: list
    settings: dict
    rendition: int | str = 1
    """Its number, or its name where it is in an idiom of :mod:`.idioms`."""

    @property
    def name(self):
        """What its random numbers are drawn for."""
        return self.id if self.rendition == 1 else f"{self.id}_{self.rendition}"

    @property
    def track_id(self):
        """Name of the pair of files in the corpus."""
        return f"pop909_{self.name}"


def choose(rows, n_tracks, test_fraction, seed):
    """Choose songs and split them by artist.

    The songs stand in a seeded order.  The side of an artist is settled at its first
    song, by what the songs up to there need; hence a longer choice begins with the
    shorter one, unchanged.

    Parameters
    ----------
    rows : list of (str, str)
        Song and artist.
    n_tracks : int
        How many songs to choose; all if there are fewer.
    test_fraction : float
        The share of songs to test on, kept as closely as whole artists allow.
    seed : int
        Decides the order.

    Returns
    -------
    list of (str, str, bool)
        Song, artist and whether it belongs to the test split.
    """
    rows, sides, chosen = sorted(rows), {}, []
    for i in generator(seed, "order").permutation(len(rows))[:n_tracks]:
        song, artist = rows[i]
        n_test = sum(is_test for *_, is_test in chosen)
        is_test = n_test + 1 <= test_fraction * (len(chosen) + 1)
        chosen.append((song, artist, sides.setdefault(artist, is_test)))
    return chosen


def annotate(song, labels, duration):
    """Build the JAMS of one song.

    Parameters
    ----------
    song : Song
        Names the song and its artist.
    labels : dict
        The song's labels, as the source holds them.
    duration : float
        Length of the audio in seconds; chords are ``N`` where the labels say nothing.

    Returns
    -------
    jams.JAMS
    """
    import jams

    observations = {
        "chord": cover(labels["chords"], duration, "N"),
        "beat": [(t, t, p) for t, p in labels["beats"] if t < duration],
        "key_mode": cover(labels["keys"], duration),
        "segment_open": cover(labels["sections"], duration),
    }
    jam = jams.JAMS()
    jam.file_metadata.title = song.id
    jam.file_metadata.artist = song.artist
    jam.file_metadata.duration = duration
    for namespace, observed in observations.items():
        curator, source = _SOURCES[namespace]
        made = annotation(
            namespace, observed, duration, curator, corpus="POP909", data_source=source
        )
        if made:
            jam.annotations.append(made)
    return jam


def make_track(source, output, songs, track_id):
    """Render one of the songs unless its files are there and were made in the same way.

    Raises
    ------
    CremaError
        The song's files are missing or damaged.
    """
    song = songs[track_id]
    midi = source / "midi" / f"{song.id}.mid"
    label_file = source / "labels" / f"{song.id}.json"
    try:
        content = midi.read_bytes() + label_file.read_bytes()
    except OSError as error:
        raise AnnotationError(f"{error.filename}: {error.strerror}") from error
    settings = song.settings | {"source": hashlib.sha256(content).hexdigest()[:16]}
    if is_made(output, track_id, settings):
        return

    try:
        tracks = read_tracks(midi)
        labels = json.loads(label_file.read_text(encoding="utf-8"))
        y, labels, drawn = perform(song, tracks, labels)
        duration = len(y) / settings["sample_rate"]
        jam = annotate(song, labels, duration)
        jam.sandbox.drawn = drawn
    except CremaError:
        raise
    except Exception as error:  # labels come from outside and can be wrong in any way
        raise AnnotationError(f"{label_file}: wrong labels ({error!r})") from error
    write_rendered(output, track_id, y, jam, settings)


def perform(song, tracks, labels):
    """Draw how a song is played, and play it.

    Parameters
    ----------
    song : Song
        Its settings and its side of the split.
    tracks : list
        As :func:`crema.corpus.arrange.read_tracks` returns them.
    labels : dict
        As the source holds them.

    Returns
    -------
    y : np.ndarray, shape=(samples,)
        Mono audio.
    labels : dict
        Those of what is heard.
    drawn : dict
        What was drawn.
    """
    settings, drawn = song.settings, {}
    rng = generator(settings["seed"], "performance", song.name)
    if not song.is_test:
        low, high = variation.TRANSPOSITIONS
        drawn["semitones"] = int(rng.integers(low, high + 1))
        tracks, labels = variation.transposed(tracks, labels, drawn["semitones"])
    if isinstance(song.rendition, str):
        stems, labels, chosen = idioms.perform(tracks, labels, rng)
        drawn |= chosen
    else:
        if not song.is_test:
            clock = variation.clock(labels["duration"], rng)
            tracks, labels = variation.retimed(tracks, labels, clock)
        stems = arrange(tracks, labels, settings["drums"], rng)
    effects = mix.TEST if song.is_test else mix.TRAINING
    fonts = {None: song.soundfonts, "drums": song.soundfonts + song.drum_soundfonts}
    y, mixed = mix.record(stems, fonts, settings["sample_rate"], rng, effects)
    return y, labels, drawn | mixed


def plan(arguments):
    """List the songs to render, as the command line asks for them.

    Raises
    ------
    CorpusError, ConfigError
        The source has no table of tracks, a soundfont cannot be used, or a split
        would be empty.
    """
    table = arguments.source / "tracks.tsv"
    try:
        with open(table, encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t")
            rows = [(row["id"], row["artist"]) for row in reader]
    except (OSError, KeyError, ValueError) as error:
        raise CorpusError(
            f"{table}: cannot be read as a table with columns id and artist ({error}); "
            "give the directory that holds tracks.tsv, midi/ and labels/"
        ) from error
    chosen = choose(rows, arguments.tracks, arguments.test_fraction, arguments.seed)
    if len({is_test for *_, is_test in chosen}) < 2:
        raise ConfigError(
            f"{len(chosen)} track(s) with --test-fraction {arguments.test_fraction:g} "
            "leave one side of the split empty; ask for more --tracks"
        )
    train_fonts, drum_fonts = arguments.soundfont, arguments.drum_soundfont
    test_fonts = [arguments.test_soundfont] if arguments.test_soundfont else train_fonts
    if arguments.renditions < 1:
        raise ConfigError(f"--renditions {arguments.renditions}: give at least 1")
    if arguments.idioms < 0:
        raise ConfigError(f"--idioms {arguments.idioms}: give 0 or more")
    renditions = [
        *range(1, arguments.renditions + 1),
        *(f"idiom_{n}" for n in range(1, arguments.idioms + 1)),
    ]
    known = {font: identify(font) for font in {*train_fonts, *drum_fonts, *test_fonts}}
    songs = []
    for song, artist, is_test in sorted(chosen):
        fonts = test_fonts if is_test else train_fonts
        drums = [] if is_test else drum_fonts
        settings = {
            "recipe": RECIPE,
            "seed": arguments.seed,
            "drums": arguments.drums,
            "sample_rate": arguments.sample_rate,
            "soundfonts": [known[font] for font in fonts + drums],
        }
        songs += [
            Song(song, artist, is_test, fonts, drums, settings, rendition)
            for rendition in ([1] if is_test else renditions)
        ]
    return songs


def main(argv=None):
    """Run from the command line; return 1 if a song could not be rendered."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.pop909", description=__doc__.splitlines()[0]
    )
    path = pathlib.Path
    add = parser.add_argument
    add("source", type=path, help="directory with tracks.tsv, midi/ and labels/")
    rendering_options(parser)
    add("--test-soundfont", type=path, help="by default those of the training songs")
    add("--tracks", type=int, default=40, help="number of songs (default: %(default)s)")
    add("--test-fraction", type=float, default=0.2, help="(default: %(default)s)")
    add("--renditions", type=int, default=1, help="of each song to train on")
    more = "of each, more in idioms that are not pop (default: none)"
    add("--idioms", type=int, default=0, metavar="N", help=more)
    add("--drums", type=float, default=0.7, help="share of bands with drums")
    arguments = parser.parse_args(argv)

    songs = {song.track_id: song for song in plan(arguments)}
    job = functools.partial(make_track, arguments.source, arguments.output, songs)
    made, failures = run_all(job, list(songs), arguments.jobs)
    for side in (False, True):
        records = [
            {"track_id": song.track_id, "group": song.artist}
            for song in songs.values()
            if song.is_test == side and song.track_id in made
        ]
        name = "index_test.json" if side else "index_train.json"
        index.write_index(arguments.output / name, records)
    return report(failures)


if __name__ == "__main__":
    run(main)
