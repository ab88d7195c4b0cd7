r"""Stage 1, beat: build the pump; compute features and labels of tracks and copies.

    python training/beat/01-prepare.py --corpus corpora/demo \
        --index training/beat/index_train.json --augmented-dir work/beat/augmented \
        --feature-dir work/beat/features --pump training/beat/resources/pump.pkl

The features are a log-mel spectrogram at about 100 frames per second, and a constant-Q
transform with one bin per semitone at an eighth of that rate; the labels are beats and
downbeats.
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
    from crema import features
    from crema.compiled import pumpp
    from crema.tasks import beat

    frames = {"sr": args.sample_rate, "hop_length": args.hop_length}
    return pumpp.Pump(
        features.LogMel("mel", n_fft=args.window, n_mels=args.mel_bands, **frames),
        features.HCQT(
            "cqt",
            n_octaves=args.octaves,
            over_sample=1,
            harmonics=(1,),
            hold=args.hold,
            **frames,
        ),
        beat.Beats("beat", **frames),
    )


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = prepare.parser(__doc__)
    parser.add_argument(
        "--sample-rate",
        type=int,
        default=22050,
        help="sampling rate of the analysis, in Hz",
    )
    parser.add_argument(
        "--hop-length", type=int, default=220, help="samples between frames"
    )
    parser.add_argument(
        "--window", type=int, default=1024, help="samples in an analysis window"
    )
    parser.add_argument(
        "--mel-bands",
        type=int,
        default=81,
        help="number of mel bands, a multiple of 9 because of pooling",
    )
    parser.add_argument(
        "--octaves",
        type=int,
        default=6,
        help="octaves of the constant-Q transform, up from C1",
    )
    parser.add_argument(
        "--hold",
        type=int,
        default=8,
        help="frames per value of the constant-Q transform",
    )
    args = parser.parse_args(argv)
    prepare.run(args, build)


if __name__ == "__main__":
    exceptions.program(main)
