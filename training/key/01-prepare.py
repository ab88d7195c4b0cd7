r"""Stage 1, key: build the pump; compute features and labels of tracks and copies.

    python training/key/01-prepare.py --corpus corpora/demo \
        --index training/key/index_train.json --augmented-dir work/key/augmented \
        --feature-dir work/key/features --pump training/key/resources/pump.pkl

The features are a harmonic constant-Q transform, by default that of the chord
estimator, so that both can share it; the labels are the key of each frame and of the
whole track.
"""

from crema import exceptions
from crema.utils import prepare


def build(args):
    """Return the pump.

    Parameters
    ----------
    args : argparse.Namespace
        Options of this script.
    """
    from crema.compiled import pumpp
    from crema.tasks import key

    frames = {"sr": args.sample_rate, "hop_length": args.hop_length}
    return pumpp.Pump(prepare.hcqt(args), key.Keys("key", **frames))


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = prepare.parser(__doc__)
    prepare.hcqt_options(parser)
    args = parser.parse_args(argv)
    prepare.run(args, build)


if __name__ == "__main__":
    exceptions.program(main)
