r"""Stage 1, key: the pump; features and labels of each track and of its copies.

    python training/key/01-prepare.py --corpus corpora/demo \
        --index training/key/index_train.json --augmented-dir work/key/augmented \
        --feature-dir work/key/features --pump training/key/resources/pump.pkl

The features are a harmonic constant-Q transform, by default the one that the chord
estimator uses, so that who wants both computes it once; the labels are the key of each
frame and that of the whole track.
"""

from crema import exceptions
from crema.utils import prepare


def build(args):
    """Return the pump.

    Parameters
    ----------
    args : argparse.Namespace
        With the options of this script.
    """
    import pumpp

    from crema import features
    from crema.tasks import key

    frames = {"sr": args.sample_rate, "hop_length": args.hop_length}
    return pumpp.Pump(
        features.HCQT(
            "hcqt",
            n_octaves=args.octaves,
            over_sample=args.bins_per_semitone,
            harmonics=(1, 2),
            **frames,
        ),
        key.Keys("key", **frames),
    )


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = prepare.parser(__doc__)
    parser.add_argument(
        "--sample-rate", type=int, default=22050, help="of the analysis, in Hz"
    )
    parser.add_argument(
        "--hop-length", type=int, default=2048, help="samples from frame to frame"
    )
    parser.add_argument(
        "--octaves", type=int, default=6, help="octaves of a harmonic, up from C1"
    )
    parser.add_argument(
        "--bins-per-semitone", type=int, default=3, help="of the transform"
    )
    args = parser.parse_args(argv)
    prepare.run(args, lambda: build(args))


if __name__ == "__main__":
    exceptions.program(main)
