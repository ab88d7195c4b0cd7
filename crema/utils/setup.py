"""Stage 0: make augmented copies of each training track, audio and annotation.

The job of a track owns every file ``track_id.*`` of the output directory.  It removes
those of an earlier run, writes ``track_id.0.flac``, ``track_id.0.jams``,
``track_id.1...`` and last ``track_id.json``, the record that the copies are complete.
"""

import functools
import pathlib
import warnings

from crema.exceptions import AudioError, ConfigError, CremaError
from crema.utils import audiofile, cli, disk, jamsfile, rng

# muda imports pkg_resources of setuptools, which warns about it.
warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)

FORMATS = ("flac", "ogg", "wav")
#: Seconds; a track that is shorter, or silent, is in a corpus by mistake.
SHORTEST = 1.5


def parser(description):
    """Return the parser of a ``00-setup.py``; the script adds its deformer's options.

    Parameters
    ----------
    description : str
        The docstring of the script.
    """
    made = cli.parser(description)
    cli.corpus_options(made)
    cli.track_options(made)
    copies = "where to write the copies, as TRACK_ID.AUGMENT_ID.EXT"
    cli.path_option(made, "--output-dir", "DIR", copies)
    made.add_argument(
        "--format", default="flac", choices=FORMATS, help="audio format of the copies"
    )
    return made


def transpose(description, semitones, argv=None):
    """Run a stage that transposes each track.

    Parameters
    ----------
    description : str
        The docstring of the script.
    semitones : list of int
        Default of the option ``--semitones``, one copy each.
    argv : list of str, optional
        The arguments; by default those of the command line.
    """
    made = parser(description)
    made.add_argument(
        "--semitones",
        type=int,
        nargs="*",
        default=semitones,
        help="semitones to transpose by, one copy each",
    )
    args = made.parse_args(argv)
    from crema.deformers import PitchShift

    run(args, PitchShift(args.semitones))


def run(args, deformer):
    """Augment the tracks that `args` names.

    Parameters
    ----------
    args : argparse.Namespace
        From :func:`parser`.
    deformer : muda.BaseTransformer or None
        Makes the copies; None makes none.
    """
    cli.each_track(
        functools.partial(
            augment,
            corpus=cli.corpus(args),
            directory=args.output_dir,
            audio_format=args.format,
            deformer=deformer,
            seed=args.seed,
        ),
        args,
    )


def augment(track_id, corpus, directory, audio_format, deformer, seed=0):
    """Write all augmented copies of one track.

    Parameters
    ----------
    track_id : str
        A track of `corpus`.
    corpus : crema.utils.index.Corpus
        Corpus of the track; the copies keep its sampling rate, and are mono.
    directory : pathlib.Path
        Directory of the copies.
    audio_format : {'flac', 'ogg', 'wav'}
        Audio extension of the copies.
    deformer : muda.BaseTransformer or None
        Makes the copies.
    seed : int
        Together with the track id, seeds a deformer without a generator of its own
        (``rng=None``).

    Raises
    ------
    CremaError
        The audio or the annotation cannot be read, or a copy cannot be written.
    """
    if audio_format not in FORMATS:
        raise ConfigError(f"format {audio_format!r} is not one of {', '.join(FORMATS)}")
    if directory.resolve() == pathlib.Path(corpus.directory).resolve():
        raise ConfigError(
            f"{directory}: is the corpus itself; write the copies to another directory"
        )
    # The copies must not depend on earlier tracks of the process.
    rng.seed_everything(int(rng.generator(seed, track_id).integers(2**32)))
    with disk.whole_track(directory, track_id, ".json"):
        copies = make_copies(track_id, corpus, directory, audio_format, deformer)
        record = {"track_id": track_id, "copies": copies}
        disk.write_json(directory / f"{track_id}.json", record)


def check_audio(path, y, sample_rate, shortest=SHORTEST):
    """Return the length of audio in seconds.

    Raises
    ------
    AudioError
        The audio is shorter than `shortest` seconds, or silent.
    """
    seconds = len(y) / sample_rate
    if seconds >= shortest and y.any():
        return seconds
    short = f"{seconds:.2f} s long, less than {shortest:g} s"
    fault = short if seconds < shortest else "silent throughout"
    raise AudioError(f"{path}: is {fault}; replace the file or leave it out")


def make_copies(track_id, corpus, directory, audio_format, deformer):
    """Write the copies of one track; return their entries for its record."""
    from crema.compiled import muda

    y, sample_rate = audiofile.read(corpus.audio(track_id))
    seconds = check_audio(corpus.audio(track_id), y, sample_rate)
    jam = jamsfile.read(corpus.jams(track_id))
    # The annotation must state the duration of the audio, even if the file does not.
    jam.file_metadata.duration = seconds
    muda.jam_pack(jam, _audio={"y": y, "sr": sample_rate})
    copies = []
    for number, copy in enumerate(deformer.transform(jam) if deformer else ()):
        audio = copy.sandbox.muda._audio
        copy.file_metadata.duration = len(audio["y"]) / audio["sr"]
        name = f"{track_id}.{number}"
        try:
            audiofile.write(
                directory / f"{name}.{audio_format}", audio["y"], audio["sr"]
            )
            jamsfile.write(directory / f"{name}.{corpus.jams_ext}", copy)
        except CremaError as error:
            raise type(error)(f"track {track_id}, copy {number}: {error}") from error
        copies.append(
            {
                "augment_id": str(number),
                "duration": copy.file_metadata.duration,
                "state": copy.sandbox.muda.history[-1]["state"],
            }
        )
    return copies


def copies_of(directory, track_id):
    """Return the augment ids in the record of a track.

    Raises
    ------
    CremaError
        There is no record, so setup has not finished for the track.
    """
    record = disk.read_json(directory / f"{track_id}.json")
    return [copy["augment_id"] for copy in record["copies"]]
