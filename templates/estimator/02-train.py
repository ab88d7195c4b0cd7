r"""Stage 2, NAME: train the network.

    python training/NAME/02-train.py --index training/NAME/index_train.json \
        --feature-dir work/NAME/features --pump training/NAME/resources/pump.pkl \
        --resources training/NAME/resources

After a kill, the same command resumes from the last epoch.  README.md describes the
network.
"""

from crema import exceptions
from crema.utils import sampling, train


def network(operators, args):
    """Build the network.

    Parameters
    ----------
    operators : pumpp.Pump
        Names and shapes of inputs and outputs.
    args : argparse.Namespace
        The options of this script.

    Returns
    -------
    model : keras.Model
        Its inputs are named after fields of the pump, and so are all outputs that have
        labels.  The first output is decoded by the task transformer of its field.
    losses, metrics : list
        One entry per output.
    """
    from keras import Input, Model, layers, losses

    from crema.features import LEVELS
    from crema.tasks.NAME import LABELS

    field = operators.fields["hcqt.mag"]
    levels = Input(field.shape, dtype=field.dtype.name, name="hcqt.mag")
    x = layers.Rescaling(1 / LEVELS)(levels)
    x = layers.BatchNormalization()(x)
    # Filters as high as the spectrum reduce each frame to one value per filter.
    x = layers.Conv2D(args.filters, (5, field.shape[1]), padding="valid")(
        layers.ZeroPadding2D((2, 0))(x)
    )
    x = layers.Reshape((-1, args.filters))(x)
    x = layers.Activation("relu")(x)
    gru = layers.GRU(args.recurrent_units, return_sequences=True)
    x = layers.Bidirectional(gru)(x)
    label = layers.Dense(len(LABELS), activation="softmax", name="NAME.label")(x)
    # Padding in validation excerpts has weight 0 and must not dilute the mean loss.
    loss = losses.SparseCategoricalCrossentropy(
        ignore_class=-1, reduction="mean_with_sample_weight"
    )
    return Model(levels, [label]), [loss], [[]]


def decoder(files):
    """Estimate the parameters of decoding from the training annotations.

    Parameters
    ----------
    files : list of pathlib.Path
        Feature files of the original training tracks.

    Returns
    -------
    dict
        Anything that JSON can hold, for crema/models/NAME.py.
    """
    return {"self_transition": sampling.self_transition(files, "NAME.label")}


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = train.parser(__doc__)
    option = parser.add_argument_group("network").add_argument
    option("--filters", type=int, default=32, help="filters of the first layer")
    option("--recurrent-units", type=int, default=32, help="GRU units per direction")
    args = parser.parse_args(argv)
    train.run(args, "NAME", network, decoder, monitor="val_loss")


if __name__ == "__main__":
    exceptions.program(main)
