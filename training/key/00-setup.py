r"""Stage 0, key: transpose each training track, audio and annotations.

    python training/key/00-setup.py --corpus corpora/demo \
        --index training/key/index_train.json --output-dir work/key/augmented

writes TRACK_ID.0.flac and .jams, TRACK_ID.1..., one copy for each of --semitones,
and TRACK_ID.json, the record of the copies.
"""

from crema import exceptions
from crema.utils import setup


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    setup.transpose(__doc__, [-4, -2, 2, 4], argv)


if __name__ == "__main__":
    exceptions.program(main)
