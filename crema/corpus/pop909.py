r"""Render the POP909 songs into a corpus of audio and JAMS.

::

    python -m crema.corpus.pop909 SOURCE OUTPUT --soundfont A.sf2 B.sf2 \
        --test-soundfont C.sf2 --tracks 40 --jobs 2

SOURCE holds ``tracks.tsv`` (columns id and artist), ``midi/ID.mid`` (tracks MELODY,
BRIDGE and PIANO) and ``labels/ID.json``: ``chords``, ``keys`` and ``sections`` as
[start, end, label], ``beats`` as [time, position in bar or null], and ``duration``, in
seconds.

The MIDI files contain piano only, unlike recordings.  For each training song, key,
tempo, line-up (:mod:`.arrange`), tuning, mix and effects (:mod:`.mix`) are therefore
drawn at random.  Test songs keep key and tempo.  Their effects, other than level, and
with ``--test-soundfont`` their soundfont do not occur in training.

``--renditions`` sets the number of draws per training song.  ``--idioms`` adds that
many renditions per song in other idioms: metal, dance music, rubato piano
(:mod:`.idioms`).  A song always sounds the same and stays on its side of the split,
regardless of the number of songs and renditions; a second run renders only tracks that
are missing or have other settings.
"""

import argparse
import csv
import functools
import hashlib
import json
import pathlib
from typing import NamedTuple

from crema.corpus import common, idioms, mix, variation
from crema.corpus.arrange import arrange, read_tracks
from crema.corpus.render import identify
from crema.exceptions import AnnotationError, ConfigError, CorpusError, CremaError
from crema.exceptions import program as run
from crema.utils import cli, index
from crema.utils.rng import generator

#: Increase when a code change alters the sound of a song.
RECIPE = 3

_SOURCES = {
    "chord": ("POP909-CL", "chords of the MIDI performance, reviewed by hand"),
    "beat": ("POP909", "beats of the MIDI performance; position None: bars unknown"),
    "key_mode": ("POP909-CL", "the first key of a song is machine-made"),
    "segment_open": ("hierarchical-structure-analysis", "sections aligned by hand"),
}


class Song(NamedTuple):
    """One rendition of a song of the source.

    Attributes
    ----------
    id, artist : str
        From the table of tracks.
    is_test : bool
        Whether the song is on the test side.
    soundfonts, drum_soundfonts : list of pathlib.Path
        Soundfonts for all stems, and further ones for drums.
    settings : dict
        Settings that determine the audio.
    rendition : int or str
        Number of the rendition, or its name if it uses an idiom of :mod:`.idioms`.
    """

    id: str
    artist: str
    is_test: bool
    soundfonts: list
    drum_soundfonts: list
    settings: dict
    rendition: int | str = 1

    @property
    def name(self):
        """Name of the rendition, which seeds its random numbers."""
        return self.id if self.rendition == 1 else f"{self.id}_{self.rendition}"

    @property
    def track_id(self):
        """Stem of the two files in the corpus."""
        return f"pop909_{self.name}"


def choose(rows, n_tracks, test_fraction, seed):
    """Choose songs and split them by artist.

    The songs are shuffled by the seed.  An artist's side is fixed at the first song, by
    the balance of the songs chosen so far.  A longer choice therefore begins with the
    shorter one, unchanged.

    Parameters
    ----------
    rows : list of (str, str)
        Song and artist.
    n_tracks : int
        Number of songs to choose; all if there are fewer.
    test_fraction : float
        Share of test songs, met as closely as whole artists allow.
    seed : int
        Seed of the order.

    Returns
    -------
    list of (str, str, bool)
        Song, artist and whether the song is on the test side.
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
        Provides the title and the artist.
    labels : dict
        Labels returned by :func:`perform`.
    duration : float
        Length of the audio in seconds; gaps between chords become ``N``.

    Returns
    -------
    jams.JAMS
    """
    observed = {
        "chord": common.cover(labels["chords"], duration, "N"),
        "beat": labels["beats"],
        "key_mode": labels["keys"],
        "segment_open": labels["sections"],
    }
    sources = {
        namespace: {"curator": curator, "data_source": source}
        for namespace, (curator, source) in _SOURCES.items()
    }
    return common.jam(
        song.id, duration, observed, song.artist, sources, corpus="POP909"
    )


def make_track(source, output, songs, track_id):
    """Render a song unless it already exists with the same settings.

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
    if common.is_made(output, track_id, settings):
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
    except Exception as error:  # user-supplied labels can be wrong in any way
        raise AnnotationError(f"{label_file}: wrong labels ({error!r})") from error
    common.write_rendered(output, track_id, y, jam, settings)


def perform(song, tracks, labels):
    """Draw a performance of a song and render it.

    Parameters
    ----------
    song : Song
        Provides the settings and the side of the split.
    tracks : list
        Tracks returned by :func:`crema.corpus.arrange.read_tracks`.
    labels : dict
        Labels of the source.

    Returns
    -------
    y : np.ndarray, shape=(samples,)
        Mono audio.
    labels : dict
        Labels of the audio.
    drawn : dict
        The values drawn.
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
    """List the renditions that the command line asks for.

    Raises
    ------
    CorpusError, ConfigError
        The source has no table of tracks, a soundfont or option is invalid, or one side
        of the split would be empty.
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
            "leave one side of the split empty; increase --tracks"
        )
    train_fonts, drum_fonts = arguments.soundfont, arguments.drum_soundfont
    test_fonts = [arguments.test_soundfont] if arguments.test_soundfont else train_fonts
    if arguments.renditions < 1:
        raise ConfigError(f"--renditions {arguments.renditions}: must be at least 1")
    if arguments.idioms < 0:
        raise ConfigError(f"--idioms {arguments.idioms}: must be 0 or more")
    renditions = [
        *range(1, arguments.renditions + 1),
        *(f"idiom_{n}" for n in range(1, arguments.idioms + 1)),
    ]
    all_fonts = {*train_fonts, *drum_fonts, *test_fonts}
    identities = {font: identify(font) for font in all_fonts}
    songs = []
    for song, artist, is_test in sorted(chosen):
        fonts = test_fonts if is_test else train_fonts
        drums = [] if is_test else drum_fonts
        settings = {
            "recipe": RECIPE,
            "seed": arguments.seed,
            "drums": arguments.drums,
            "sample_rate": arguments.sample_rate,
            "soundfonts": [identities[font] for font in fonts + drums],
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
    common.rendering_options(parser)
    add(
        "--test-soundfont",
        type=path,
        help="soundfont of the test songs (default: as for training)",
    )
    add("--tracks", type=int, default=40, help="number of songs (default: %(default)s)")
    add(
        "--test-fraction",
        type=float,
        default=0.2,
        help="share of songs to test on (default: %(default)s)",
    )
    add("--renditions", type=int, default=1, help="renditions of each training song")
    in_idioms = (
        "further renditions of each training song in other idioms (default: none)"
    )
    add("--idioms", type=int, default=0, metavar="N", help=in_idioms)
    add("--drums", type=float, default=0.7, help="share of bands with drums")
    arguments = parser.parse_args(argv)

    songs = {song.track_id: song for song in plan(arguments)}
    job = functools.partial(make_track, arguments.source, arguments.output, songs)
    rendered, failures = cli.run_all(job, list(songs), arguments.jobs)
    for side in (False, True):
        records = [
            {"track_id": song.track_id, "group": song.artist}
            for song in songs.values()
            if song.is_test == side and song.track_id in rendered
        ]
        name = "index_test.json" if side else "index_train.json"
        index.write_index(arguments.output / name, records)
    return common.report(failures)


if __name__ == "__main__":
    run(main)
