"""The program ``crema``: its commands and options.

crema song.mp3 -o song.jams
crema *.flac --tasks chord,beat --output-dir annotations
crema Music --output-dir annotations --jobs 4          # all audio below Music
crema plot song.jams                                   # makes song.png
crema plot song.jams --audio song.mp3 -o picture.png
crema compare before/test_data.json after/test_data.json
crema info song.jams
"""

import argparse
import collections
import glob
import os
import pathlib
import sys

from crema import batch, exceptions, formats
from crema.audio import Audio
from crema.exceptions import CremaError
from crema.record import Record
from crema.utils import audiofile, cli, disk, jamsfile
from crema.version import __version__


def main(argv=None):
    """Run the program with the arguments `argv` (default: of the command line)."""
    argv = sys.argv[1:] if argv is None else argv
    commands = {"plot": draw, "compare": compare, "info": info}
    if argv and argv[0] in commands:
        return commands[argv[0]](argv[1:])
    args = parser().parse_args(argv)
    form, songs = destinations(args)
    if args.plot:
        from crema import plot

        plot.library()
    return batch.run(songs, args.model, args.tasks, form, args.jobs, args.output_dir)


def parser():
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="crema",
        description="Annotate music: audio files in, JAMS or label files out.",
        epilog="Other commands: crema plot draws the annotations; crema info prints "
        "the origin of a file; crema compare compares two evaluations. Each "
        "has --help.",
    )
    parser.add_argument(
        "audio",
        nargs="+",
        help="WAV, FLAC, Ogg, MP3, ...; with --output-dir also directories, of which "
        "all audio files are annotated, also those in subdirectories",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        metavar="FILE",
        help="the file to write (default: print to standard output, unless "
        "--posteriors or --plot is given)",
    )
    where.add_argument(
        "--output-dir",
        type=pathlib.Path,
        metavar="DIR",
        help="where to write one NAME.jams per audio file, and those of a directory "
        "in the same subdirectories; files that the same models have already annotated "
        "are skipped",
    )
    parser.add_argument(
        "--format",
        choices=formats.FORMATS,
        help="jams; lab (Audacity) or csv (Sonic Visualiser), one file per task as "
        "in NAME.chord.lab; json (default: by the suffix of -o, else jams)",
    )
    for option, suffix, content in (
        ("--posteriors", ".npz", "the frame-wise posteriors"),
        ("--plot", ".png", "a picture of the annotations over the audio"),
    ):
        parser.add_argument(
            option,
            nargs="?",
            const=True,
            type=file_option(suffix),
            metavar=f"FILE{suffix}",
            help=f"also write {content}; with --output-dir, without a name: "
            f"NAME{suffix}",
        )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="DIR",
        help="directory of a trained model, or of several such as training (may be "
        "repeated; default: the released models)",
    )
    parser.add_argument(
        "--tasks",
        type=cli.names,
        metavar="NAME,...",
        help="the estimators to use, such as chord,beat (default: all)",
    )
    parser.add_argument(
        "--jobs",
        type=cli.jobs,
        default=1,
        metavar="N",
        help="processes, which divide the files and the cores among them (default: 1)",
    )
    parser.add_argument("--version", action="version", version=f"crema {__version__}")
    return parser


def file_option(suffix):
    """Return an option type that accepts file names ending in `suffix`."""

    def convert(text):
        if not text.lower().endswith(suffix):
            kind = text.rpartition(".")[2].lower()
            after = "; give this option after the audio"
            raise argparse.ArgumentTypeError(
                f"{text} does not end in {suffix}"
                + after * (kind in audiofile.EXTENSIONS)
            )
        return pathlib.Path(text)

    return convert


def destinations(args):
    """Return the output format, and the outputs of each audio file.

    Parameters
    ----------
    args : argparse.Namespace
        The options of :func:`parser`.

    Returns
    -------
    form : str
        One of :data:`crema.formats.FORMATS`.
    songs : list of crema.batch.Song

    Raises
    ------
    CremaError
        The options contradict each other, two files would share an output, or an
        output is the audio or cannot be written.
    """
    output, directory = args.output, args.output_dir
    if str(output) == "-":
        raise CremaError("leave out -o to write to standard output")
    extras = {"posteriors": args.posteriors, "plot": args.plot}
    form = args.format or (formats.infer(output) if output else "jams")
    if output and formats.SUFFIXES.get(output.suffix.lower(), form) != form:
        raise CremaError(
            f"{output}: does not match --format {form}; name it .{form}, or leave out "
            "--format"
        )
    if directory is None:
        if len(args.audio) > 1 or os.path.isdir(args.audio[0]):
            raise CremaError("directories and several files need --output-dir")
        for option, value in extras.items():
            if value is True:
                raise CremaError(f"--{option} needs a file name")
        song = batch.Song(args.audio[0], "", output, **extras)
        keep_audio(song)
        paths = [path for path in (output, *extras.values()) if path]
        for path in paths:
            disk.check_writable(path)
        if len({os.path.realpath(path) for path in paths}) < len(paths):
            raise CremaError(
                f"{', '.join(map(str, paths))}: name a file of its own for each output"
            )
        return form, [song]
    for option, value in extras.items():
        if isinstance(value, pathlib.Path):
            raise CremaError(
                f"--{option} takes no name with --output-dir, where files are named "
                "after the audio"
            )
    songs = [
        batch.Song(
            audio,
            name,
            directory / f"{name}.{form}",
            args.posteriors and directory / f"{name}.npz",
            args.plot and directory / f"{name}.png",
        )
        for audio, name in find_songs(args.audio).items()
    ]
    for song in songs:
        keep_audio(song)
    return form, songs


def find_songs(paths):
    """Find audio files.

    Parameters
    ----------
    paths : list of str
        Audio files, and directories, which are searched with all their subdirectories,
        linked ones too, for names of audio files.  Hidden ones are ignored.

    Returns
    -------
    dict of str to str
        The name of the outputs of each audio file: its own without the extension, after
        its path from the directory that was given.

    Raises
    ------
    CremaError
        There is no audio.
    """
    # Directories last: the place of a file in one replaces that of the file by itself.
    songs, skipped = {}, collections.Counter()
    for path in sorted(paths, key=os.path.isdir):
        if os.path.isdir(path):
            songs |= find_in(path, skipped)
        else:
            songs[path] = pathlib.Path(path).stem
    if skipped:
        kinds = ", ".join(f"{kind} ({n})" for kind, n in sorted(skipped.items()))
        cli.say(f"files of formats that libsndfile does not read are skipped: {kinds}")
    if not songs:
        raise CremaError(f"{paths[0]}: contains no audio that libsndfile reads")
    # A file can be named twice, also by different paths.
    return dict(
        {os.path.abspath(one): (one, name) for one, name in songs.items()}.values()
    )


def find_in(directory, skipped):
    """Find the audio files in a directory, as :func:`find_songs` does.

    Links are followed, to each directory once.  A subdirectory that cannot be read is
    among them, to fail like an audio file.  The counter `skipped` receives the
    extensions of audio in other formats.
    """
    songs, seen = {}, set()
    unreadable = []
    walk = os.walk(directory, onerror=unreadable.append, followlinks=True)
    for place, subdirectories, files in walk:
        # os.walk continues with what is left here.
        subdirectories[:] = sorted(d for d in subdirectories if not d.startswith("."))
        real = os.path.realpath(place)
        if real in seen:
            subdirectories.clear()
            continue
        seen.add(real)
        inside = os.path.relpath(place, directory)
        for file in sorted(files):
            stem, extension = os.path.splitext(file)
            kind = extension.lower()[1:]
            if file.startswith("."):
                continue
            if kind in audiofile.EXTENSIONS:
                name = os.path.normpath(os.path.join(inside, stem))
                songs[os.path.join(place, file)] = name
            elif kind in audiofile.UNREADABLE:
                skipped[kind] += 1
    for error in unreadable:
        songs[error.filename] = os.path.relpath(error.filename, directory)
    return songs


def keep_audio(song):
    """Refuse to overwrite the audio of a song.

    Raises
    ------
    CremaError
        An output is the audio.
    """
    for output in (song.annotation, song.posteriors, song.plot):
        if (
            output
            and os.path.exists(output)
            and os.path.exists(song.audio)
            and os.path.samefile(output, song.audio)
        ):
            raise CremaError(f"{output}: is the audio file itself; name another output")


def draw(argv):
    """Run ``crema plot`` with the arguments `argv`; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="crema plot", description="Draw the annotations of a JAMS file."
    )
    parser.add_argument("jams", type=pathlib.Path, help="a .jams or .jamz file")
    parser.add_argument(
        "--audio",
        help="the audio (default: the file beside the JAMS, or where it was when "
        "crema wrote to --output-dir)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=pathlib.Path,
        metavar="FILE",
        help=".png, .svg or .pdf (default: NAME.png beside the JAMS)",
    )
    args = parser.parse_args(argv)
    from crema import plot

    plot.library()
    jam = jamsfile.read(args.jams)
    where = args.audio or find_audio(args.jams)
    if where:
        audio = Audio(where)
        annotated = plot.length(jam, None)
        if annotated > audio.duration + 2:
            cli.say(
                f"{where}: lasts {audio.duration:.0f} s, but the annotations "
                f"{annotated:.0f} s; the rest is not drawn"
            )
    else:
        audio = None
        cli.say(
            f"{args.jams}: audio not found, so no chroma is drawn; name it with --audio"
        )
    output = args.output or args.jams.with_suffix(".png")
    if not args.output and output.is_file() and not plot.is_own(output):
        raise CremaError(
            f"{output}: was not drawn by crema; name another file with -o, or this one "
            "to overwrite it"
        )
    disk.write_bytes(output, plot.encode(output, jam, audio))
    cli.say(f"wrote {output}")
    return 0


def find_audio(path):
    """Find the audio of a JAMS file, beside it or where it was annotated from.

    Parameters
    ----------
    path : pathlib.Path
        The JAMS file.

    Returns
    -------
    str or pathlib.Path or None
    """
    beside = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    audio = [
        file
        for file in beside
        if file.stem == path.stem
        and file.suffix[1:].lower() in audiofile.EXTENSIONS
        and file.is_file()
    ]
    if audio:
        # Rather the lossless one.
        return min(audio, key=lambda file: file.suffix.lower() not in (".flac", ".wav"))
    for directory in path.absolute().parents:
        record = Record(directory, {})
        name = record.relative(path.absolute())
        for entry in record.valid.values():
            if name in entry["files"] and pathlib.Path(entry["audio"]).is_file():
                return entry["audio"]
    return None


def compare(argv):
    """Run ``crema compare`` with the arguments `argv`; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="crema compare",
        description="Test whether one model is better than another on the same tracks: "
        "the mean difference of each score and its 95 % confidence interval "
        "(bootstrap over the tracks).",
    )
    parser.add_argument(
        "before", type=pathlib.Path, help="test_data.json of the first model"
    )
    parser.add_argument(
        "after", type=pathlib.Path, help="test_data.json of the second model"
    )
    args = parser.parse_args(argv)
    from crema import compare

    print(compare.table(compare.compare(args.before, args.after)))
    if compare.differ(args.before, args.after):
        print("the evaluations differ in test tracks, their audio or their annotations")
    return 0


def info(argv):
    """Run ``crema info`` with the arguments `argv`; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="crema info",
        description="Print the origin of a file: model, data, code and settings.",
    )
    parser.add_argument(
        "file", help="a JAMS file, a test_data.json, or the directory of a model"
    )
    args = parser.parse_args(argv)
    from crema import origin

    print(*origin.outline(origin.info(args.file)), sep="\n")
    return 0


def entry_point():
    """Run the console script."""
    exceptions.program(main)
