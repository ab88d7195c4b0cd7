r"""Stage 0, beat: time-stretch each training track, audio and annotations.

    python training/beat/00-setup.py --corpus corpora/demo \
        --index training/beat/index_train.json --output-dir work/beat/augmented

writes TRACK_ID.0.flac and .jams, TRACK_ID.1..., one copy for each of --rates, and
TRACK_ID.json, the record of the copies.
"""

from crema import exceptions
from crema.utils import setup


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = setup.parser(__doc__)
    parser.add_argument(
        "--rates",
        type=float,
        nargs="*",
        default=[0.794, 0.891, 1.122, 1.26],
        help="factors to speed up by, one copy each",
    )
    args = parser.parse_args(argv)

    from crema.deformers import TimeStretch

    setup.run(args, TimeStretch(args.rates))


if __name__ == "__main__":
    exceptions.program(main)
