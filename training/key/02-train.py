r"""Stage 2, key: train the network.

    python training/key/02-train.py --index training/key/index_train.json \
        --feature-dir work/key/features --pump training/key/resources/pump.pkl \
        --resources training/key/resources

Run again after a kill, it goes on from the last epoch.  README.md describes the
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
        With the options of this script.

    Returns
    -------
    model : keras.Model
        From the HCQT, shape (batch, frames, bins, harmonics), to the key of the whole,
        shape (batch, 24), and of each frame, shape (batch, frames, 24).
    losses, metrics : list
        One entry per output.
    """
    from keras import Input, Model, layers, losses

    from crema.features import LEVELS
    from crema.layers import Downsample, Upsample
    from crema.tasks.key import KEYS

    field = operators.fields["hcqt.mag"]
    levels = Input(field.shape, dtype=field.dtype.name, name="hcqt.mag")
    frames = layers.Rescaling(1 / LEVELS)(levels)
    frames = layers.BatchNormalization()(frames)
    frames = layers.Conv2D(args.local_filters, 5, padding="same", activation="elu")(
        frames
    )
    frames = layers.BatchNormalization()(frames)
    # Filters of the full height leave one value per frame each.
    height = field.shape[1]
    frames = layers.Conv2D(args.full_height_filters, (1, height), activation="elu")(
        frames
    )
    frames = layers.Reshape((-1, args.full_height_filters))(frames)
    frames = layers.Dropout(args.dropout)(frames)
    # A key is a matter of seconds.
    slow = Downsample(args.pooling)(frames)
    slow = layers.BatchNormalization()(slow)
    gru = layers.GRU(args.recurrent_units, return_sequences=True)
    slow = layers.Bidirectional(gru)(slow)
    slow = layers.Dropout(args.dropout)(slow)
    local = layers.Dense(len(KEYS), activation="softmax")(slow)
    local = Upsample(args.pooling, name="key.local")([local, frames])
    # Not every second tells as much about the key of the whole as another.
    attention = layers.Dense(1)(slow)
    attention = layers.Softmax(axis=1)(attention)
    whole = layers.Flatten()(layers.Dot(axes=1)([attention, slow]))
    overall = layers.Dense(len(KEYS), activation="softmax", name="key.overall")(whole)

    # Padding of validation excerpts has weight 0 and must not thin out their mean;
    # what has no key does not count.
    loss = losses.SparseCategoricalCrossentropy(
        ignore_class=-1, reduction="mean_with_sample_weight"
    )
    return Model(levels, [overall, local]), [loss, loss], [[], []]


def decoder(files):
    """Estimate how long keys last from the training annotations.

    Returns
    -------
    dict
        The probability that the key stays the same from one frame to the next.
    """
    return {"self_transition": sampling.self_transition(files, "key.local")}


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = train.parser(__doc__)
    parser.set_defaults(patch_duration=30.0, batch_size=16)
    option = parser.add_argument_group("network").add_argument
    option("--local-filters", type=int, default=4, help="of 5 x 5")
    option("--full-height-filters", type=int, default=48, help="of the second layer")
    option("--pooling", type=int, default=10, help="frames per step of the GRU")
    option("--recurrent-units", type=int, default=48, help="per direction")
    option("--dropout", type=float, default=0.2, help="share of activations")
    args = parser.parse_args(argv)
    train.run(args, "key", network, decoder, monitor="val_loss")


if __name__ == "__main__":
    exceptions.program(main)
