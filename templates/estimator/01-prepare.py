r"""Stage 1, NAME: build the pump; extract features and labels of tracks and copies.

    python training/NAME/01-prepare.py --corpus corpora/demo \
        --index training/NAME/index_train.json --augmented-dir work/NAME/augmented \
        --feature-dir work/NAME/features --pump training/NAME/resources/pump.pkl

The features are a harmonic constant-Q transform; crema/tasks/NAME.py defines the
labels.
"""

from crema import exceptions
from crema.utils import prepare


def build(args):
    """Return the pump.

    Parameters
    ----------
    args : argparse.Namespace
        The options of this script.

    Returns
    -------
    pumpp.Pump
    """
    from crema.compiled import pumpp
    from crema.tasks import NAME as tasks

    frames = {"sr": args.sample_rate, "hop_length": args.hop_length}
    return pumpp.Pump(prepare.hcqt(args), tasks.Labels("NAME", **frames))


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = prepare.parser(__doc__)
    prepare.hcqt_options(parser)
    args = parser.parse_args(argv)
    prepare.run(args, build)


if __name__ == "__main__":
    exceptions.program(main)
