"""Write the demo corpus, or the index files that split it."""

import argparse

from crema.corpus import demo
from crema.exceptions import program
from crema.utils import cli


def main(argv=None):
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m crema.corpus.demo", description=__doc__
    )
    parser.add_argument("directory", help="directory to write to")
    parser.add_argument(
        "--tracks",
        nargs="+",
        metavar="ID",
        default=[piece.track_id for piece in demo.catalogue()],
        help="make only these pieces",
    )
    parser.add_argument(
        "--seconds", type=float, help="make pieces of about this length, for a test"
    )
    parser.add_argument(
        "--write-index",
        action="store_true",
        help="write index_train.json and index_test.json instead of music",
    )
    args = parser.parse_args(argv)

    if args.write_index:
        demo.write_indexes(args.directory)
        return
    for number, track_id in enumerate(args.tracks, 1):
        demo.write(track_id, args.directory, seconds=args.seconds)
        cli.progress(number, len(args.tracks), track_id)


if __name__ == "__main__":
    program(main)
