r"""Stage 0, NAME: transpose each training track, audio and annotations alike.

    python training/NAME/00-setup.py --corpus corpora/demo \
        --index training/NAME/index_train.json --output-dir work/NAME/augmented

writes for each track TRACK_ID.0.flac and .jams, TRACK_ID.1..., one copy per value of
--semitones, and TRACK_ID.json, the record of the copies.
"""

from crema import exceptions
from crema.utils import setup


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = setup.parser(__doc__)
    parser.add_argument(
        "--semitones",
        type=int,
        nargs="*",
        default=[-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5],
        help="semitones to transpose by, one copy each",
    )
    args = parser.parse_args(argv)

    from crema.deformers import PitchShift

    setup.run(args, PitchShift(args.semitones))


if __name__ == "__main__":
    exceptions.program(main)
