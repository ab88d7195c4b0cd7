r"""Stage 1, chord: build the pump; compute features and labels of tracks and copies.

    python training/chord/01-prepare.py --corpus corpora/demo \
        --index training/chord/index_train.json --augmented-dir work/chord/augmented \
        --feature-dir work/chord/features --pump training/chord/resources/pump.pkl

The features are a harmonic constant-Q transform; the labels are tags of pumpp's
vocabulary 3567s (170 classes) and their structure: root, bass and pitch classes.
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
    from crema.tasks import chord as tasks

    frames = {"sr": args.sample_rate, "hop_length": args.hop_length}
    return pumpp.Pump(
        prepare.hcqt(args),
        tasks.ChordTags("chord_tag", vocab="3567s", **frames),
        tasks.StructuredChord("chord_struct", **frames),
    )


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = prepare.parser(__doc__)
    prepare.hcqt_options(parser)
    args = parser.parse_args(argv)
    prepare.run(args, build)


if __name__ == "__main__":
    exceptions.program(main)
