r"""Stage 2, chord: train the structured convolutional-recurrent network.

    python training/chord/02-train.py --index training/chord/index_train.json \
        --feature-dir work/chord/features --pump training/chord/resources/pump.pkl \
        --resources training/chord/resources

The network is that of B. McFee and J. P. Bello, "Structured training for
large-vocabulary chord recognition", ISMIR 2017.
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
        With the options of this script.

    Returns
    -------
    model : keras.Model
        From the HCQT, shape (batch, frames, bins, harmonics), to the chord tag, and
        to pitch classes, root and bass, on whose estimates the tag builds.
    losses, metrics : list
        One entry per output.
    """
    from keras import Input, Model, layers, losses

    from crema.features import DYNAMIC_RANGE, LEVELS

    field = operators.fields["hcqt.mag"]
    levels = Input(field.shape, dtype=field.dtype.name, name="hcqt.mag")
    decibels = layers.Rescaling(DYNAMIC_RANGE / LEVELS, -DYNAMIC_RANGE)(levels)
    x = layers.BatchNormalization()(decibels)
    x = layers.Conv2D(args.local_filters, 5, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    # Filters of the full height leave one value per frame each.
    height = field.shape[1]
    x = layers.Conv2D(args.full_height_filters, (1, height), activation="relu")(x)
    x = layers.Reshape((-1, args.full_height_filters))(x)
    x = layers.BatchNormalization()(x)
    for _ in range(2):
        gru = layers.GRU(args.recurrent_units, return_sequences=True)
        x = layers.Bidirectional(gru)(x)

    pitch = layers.Dense(12, activation="sigmoid", name="chord_struct.pitch")(x)
    root = layers.Dense(13, activation="softmax", name="chord_struct.root")(x)
    bass = layers.Dense(13, activation="softmax", name="chord_struct.bass")(x)
    x = layers.Concatenate()([x, pitch, root, bass])
    n_tags = len(operators["chord_tag"].labels)
    tag = layers.Dense(n_tags, activation="softmax", name="chord_tag.chord")(x)

    # Padding of validation excerpts has weight 0 and must not thin out their mean.
    mean = {"reduction": "mean_with_sample_weight"}
    one_of = losses.SparseCategoricalCrossentropy(**mean)
    return (
        Model(levels, [tag, pitch, root, bass]),
        [one_of, losses.BinaryCrossentropy(**mean), one_of, one_of],
        [["sparse_categorical_accuracy"], [], [], []],
    )


def decoder(files):
    """Estimate how long chords last from the training annotations.

    Returns
    -------
    dict
        The probability that the tag, and that the bass, stays the same from one frame
        to the next.
    """
    return {
        "tag_self_transition": sampling.self_transition(files, "chord_tag.chord"),
        "bass_self_transition": sampling.self_transition(files, "chord_struct.bass"),
    }


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = train.parser(__doc__)
    option = parser.add_argument_group("network").add_argument
    option("--local-filters", type=int, default=1, help="of 5 x 5")
    option("--full-height-filters", type=int, default=36, help="of the second layer")
    option("--recurrent-units", type=int, default=128, help="per GRU and direction")
    args = parser.parse_args(argv)
    train.run(args, "chord", network, decoder, monitor="val_chord_tag.chord_loss")


if __name__ == "__main__":
    exceptions.program(main)
