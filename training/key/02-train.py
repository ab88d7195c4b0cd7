r"""Stage 2, key: train the network.

    python training/key/02-train.py --index training/key/index_train.json \
        --feature-dir work/key/features --pump training/key/resources/pump.pkl \
        --resources training/key/resources

An interrupted training resumes if it is run again.  README.md describes the network.
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
        Options of this script.

    Returns
    -------
    model : keras.Model
        Maps the HCQT, shape (batch, frames, bins, harmonics), to the key of the whole,
        shape (batch, 24), and of each frame, shape (batch, frames, 24).
    losses, metrics : list
        One entry per output.
    """
    from keras import Input, Model, layers, losses

    from crema.features import LEVELS
    from crema.layers import Downsample, Upsample, pitch_classes

    hcqt = operators["hcqt"]
    field = hcqt.fields["hcqt.mag"]
    levels = Input(field.shape, dtype=field.dtype.name, name="hcqt.mag")
    x = layers.Rescaling(1 / LEVELS)(levels)
    filters = args.local_filters, args.semitone_filters
    x = frames = pitch_classes(x, hcqt, *filters, activation="elu")
    # Keys last many seconds, so a low frame rate is enough.
    n = x.shape[3]
    x = Downsample(args.pooling)(layers.Reshape((-1, 12 * n))(x))
    x = layers.Reshape((-1, 12, n))(x)
    x = layers.Dense(args.channels, activation="elu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(args.dropout)(x)
    for level in range(args.dilations):
        x = residual(x, args.channels, 2**level, args.dropout)
    local = by_tonic(x)
    frames = layers.Reshape((-1, 12 * n))(frames)
    local = Upsample(args.pooling, name="key.local")([local, frames])
    # Some steps tell more about the key of the whole than others.
    attention = layers.Dense(1)(layers.AveragePooling2D((1, 12))(x))
    attention = layers.Softmax(axis=1)(layers.Reshape((-1, 1))(attention))
    whole = layers.Dot(axes=1)([attention, layers.Reshape((-1, 12 * args.channels))(x)])
    whole = by_tonic(layers.Reshape((1, 12, args.channels))(whole))
    overall = layers.Flatten(name="key.overall")(whole)

    # Padding of validation excerpts has weight 0 and must not count in the mean; frames
    # without a key are ignored.
    loss = losses.SparseCategoricalCrossentropy(
        ignore_class=-1, reduction="mean_with_sample_weight"
    )
    return Model(levels, [overall, local]), [loss, loss], [[], []]


def residual(x, channels, dilation, dropout):
    """Apply a residual block with a convolution around each step and pitch class."""
    from keras import layers

    from crema.layers import around

    y = around(x, channels, n_frames=3, dilation=dilation)
    y = layers.BatchNormalization()(y)
    y = layers.Activation("elu")(y)
    y = layers.Dropout(dropout)(y)
    return layers.Add()([x, y])


def by_tonic(x):
    """Return the probabilities of the keys, with the same weights for each tonic."""
    from keras import layers

    from crema.tasks.key import KEYS

    modes = layers.Dense(len(KEYS) // 12)(x)
    modes = layers.Permute((1, 3, 2))(modes)
    return layers.Softmax()(layers.Reshape((-1, len(KEYS)))(modes))


def decoder(files):
    """Estimate the parameters of the decoder from the training annotations.

    Returns
    -------
    dict
        Self-transition probability of the key, per frame.
    """
    return {"self_transition": sampling.self_transition(files, "key.local")}


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = train.parser(__doc__)
    parser.set_defaults(patch_duration=30.0, batch_size=16, learning_rate=2e-3)
    option = parser.add_argument_group("network").add_argument
    option(
        "--local-filters", type=int, default=4, help="filters of 5 x 5 frames and bins"
    )
    option(
        "--semitone-filters",
        type=int,
        default=4,
        help="filters over the bins of a semitone",
    )
    option(
        "--pooling",
        type=int,
        default=10,
        help="frames pooled per step, after the filters",
    )
    option("--channels", type=int, default=8, help="channels per pitch class")
    option(
        "--dilations",
        type=int,
        default=3,
        help="number of layers, each with twice the dilation of the last",
    )
    option("--dropout", type=float, default=0.4, help="dropout rate of activations")
    args = parser.parse_args(argv)
    train.run(args, "key", network, decoder, monitor="val_loss")


if __name__ == "__main__":
    exceptions.program(main)
