r"""Stage 2, chord: train the structured convolutional-recurrent network.

    python training/chord/02-train.py --index training/chord/index_train.json \
        --feature-dir work/chord/features --pump training/chord/resources/pump.pkl \
        --resources training/chord/resources

The network has the stages and the structured heads of B. McFee and J. P. Bello,
"Structured training for large-vocabulary chord recognition", ISMIR 2017; unlike theirs,
it shares its weights among all twelve roots.  README.md describes it.
"""

from crema import exceptions
from crema.notes import split
from crema.utils import sampling, train


def network(operators, args):
    """Build the network.

    Parameters
    ----------
    operators : pumpp.Pump
        Names and shapes of inputs and outputs.
    args : argparse.Namespace
        Options of this script.

    Returns
    -------
    model : keras.Model
        Maps the HCQT, shape (batch, frames, bins, harmonics), to the chord tag, pitch
        classes, root and bass; the tag also depends on the other three.
    losses, metrics : list
        One entry per output.
    """
    from keras import Input, Model, layers, losses

    from crema.features import LEVELS
    from crema.layers import around, pitch_classes
    from crema.layers.chord import AllPitchClasses, EachPitchClass, Order

    hcqt = operators["hcqt"]
    field = hcqt.fields["hcqt.mag"]
    levels = Input(field.shape, dtype=field.dtype.name, name="hcqt.mag")
    x = layers.Rescaling(1 / LEVELS)(levels)
    filters = args.local_filters, args.semitone_filters
    x = pitch_classes(x, hcqt, *filters, "relu", args.colour, args.seed)
    x = layers.Dense(args.channels, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    for _ in range(args.layers):
        y = around(x, args.channels, n_frames=3)
        y = layers.BatchNormalization()(y)
        x = layers.Add()([x, layers.Activation("relu")(y)])
    x = layers.SpatialDropout2D(args.dropout)(x)
    x = EachPitchClass()(x)
    for _ in range(2):
        gru = layers.GRU(args.recurrent_units, return_sequences=True)
        x = layers.Bidirectional(gru)(x)
    x = AllPitchClasses()(x)

    pooled = layers.AveragePooling2D((1, 12))(x)
    pitch = layers.Dense(1, activation="sigmoid")(x)
    root = layers.Dense(1)(x)
    bass = layers.Dense(1)(x)
    root_and_bass = [
        layers.Softmax(name=f"chord_struct.{name}")(
            layers.Concatenate()([flat(logit), flat(layers.Dense(1)(pooled))])
        )
        for name, logit in (("root", root), ("bass", bass))
    ]
    x = layers.Concatenate()([layers.Dense(args.channels // 2)(x), pitch, root, bass])
    x = around(x, 2 * args.channels)
    x = layers.Activation("relu")(x)
    # Tags are grouped by root; the roots are in the order of pumpp's labels.
    tags = operators["chord_tag"].labels
    qualities = layers.Dense(tags.index("N") // 12)(x)
    roots = [split(tag)[0] for tag in tags[: tags.index("N") : tags.index("N") // 12]]
    other_tags = layers.Dense(len(tags) - tags.index("N"))(pooled)
    tag = layers.Concatenate()([flat(Order(roots)(qualities)), flat(other_tags)])
    tag = layers.Softmax(name="chord_tag.chord")(tag)
    pitch = layers.Reshape((-1, 12), name="chord_struct.pitch")(pitch)

    # Padding of validation excerpts has weight 0 and must not count in the mean.
    mean = {"reduction": "mean_with_sample_weight"}
    crossentropy = losses.SparseCategoricalCrossentropy(**mean)
    return (
        Model(levels, [tag, pitch, *root_and_bass]),
        [crossentropy, losses.BinaryCrossentropy(**mean), crossentropy, crossentropy],
        [["sparse_categorical_accuracy"], [], [], []],
    )


def flat(x):
    """Flatten the last two axes, to one row per frame."""
    from keras import layers

    return layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)


def decoder(files):
    """Estimate the parameters of the decoder from the training annotations.

    Returns
    -------
    dict
        Self-transition probabilities of the tag and of the bass, per frame.
    """
    return {
        "tag_self_transition": sampling.self_transition(files, "chord_tag.chord"),
        "bass_self_transition": sampling.self_transition(files, "chord_struct.bass"),
    }


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = train.parser(__doc__)
    option = parser.add_argument_group("network").add_argument
    option(
        "--local-filters", type=int, default=8, help="filters of 5 x 5 frames and bins"
    )
    option(
        "--semitone-filters",
        type=int,
        default=8,
        help="filters over the bins of a semitone",
    )
    option(
        "--channels",
        type=int,
        default=20,
        help="channels per pitch class, after the filters",
    )
    option("--layers", type=int, default=2, help="convolutions over all pitch classes")
    option(
        "--recurrent-units", type=int, default=32, help="units per GRU and direction"
    )
    option("--dropout", type=float, default=0.1, help="dropout rate of channels")
    option(
        "--colour",
        type=float,
        default=12.0,
        help="depth of the random equalisation, in dB",
    )
    args = parser.parse_args(argv)
    train.run(args, "chord", network, decoder, monitor="val_chord_tag.chord_loss")


if __name__ == "__main__":
    exceptions.program(main)
