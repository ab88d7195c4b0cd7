r"""Stage 2, beat: train the network.

    python training/beat/02-train.py --index training/beat/index_train.json \
        --feature-dir work/beat/features --pump training/beat/resources/pump.pkl \
        --resources training/beat/resources

An interrupted training resumes if it is run again.  README.md describes the network.
"""

import numpy as np

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
        Maps the log-mel spectrogram, shape (batch, frames, bands), and the constant-Q
        transform, shape (batch, frames, bins, 1), to the probabilities of beats and
        downbeats, shape (batch, frames, 1) each.
    losses, metrics : list
        One entry per output.
    """
    from keras import Input, Model, layers

    from crema.features import LEVELS
    from crema.layers import Downsample, Upsample
    from crema.layers.beat import EventCrossentropy, harmony, residual

    field = operators.fields["mel.mag"]
    levels = Input(field.shape, dtype=field.dtype.name, name="mel.mag")
    bands = field.shape[1]
    x = layers.Rescaling(1 / LEVELS)(levels)
    x = layers.Reshape((-1, bands, 1))(x)
    x = layers.BatchNormalization()(x)
    # Pooling twice by 3 leaves few enough bands for a filter over all of them.
    for filters in (args.filters, 2 * args.filters):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        # ELU is monotonic, so it can follow the pooling, at a third of the cost.
        x = layers.Activation("elu")(layers.MaxPooling2D((1, 3))(x))
    x = layers.SpatialDropout2D(args.dropout)(x)
    x = layers.Conv2D(args.channels, (1, bands // 9), activation="elu")(x)
    x = layers.Reshape((-1, args.channels))(x)
    x = layers.Dropout(args.dropout)(x)
    for level in range(args.dilations):
        x = residual(x, args.channels, 2**level, args.dropout)
    # Bars need context of many seconds, so the recurrent layer has a lower frame rate.
    field, hold = operators.fields["cqt.mag"], operators["cqt"].hold
    bins = Input(field.shape, dtype=field.dtype.name, name="cqt.mag")
    chords = layers.Rescaling(1 / LEVELS)(layers.Reshape((-1, bins.shape[2]))(bins))
    chords = harmony(Downsample(hold)(chords), args.harmony_filters, args.channels)
    chords = layers.Dropout(args.dropout)(chords)
    slow = layers.Concatenate()([Downsample(hold)(x), chords])
    gru = layers.GRU(args.recurrent_units, return_sequences=True)
    slow = layers.Bidirectional(gru)(slow)
    x = layers.Concatenate()([x, Upsample(hold)([slow, x])])
    x = layers.Dense(args.channels, activation="elu")(x)
    beat = layers.Dense(1, activation="sigmoid", name="beat.beat")(x)
    downbeat = layers.Dense(1, activation="sigmoid", name="beat.downbeat")(x)
    loss = EventCrossentropy()
    return Model([levels, bins], [beat, downbeat]), [loss, loss], [[], []]


def decoder(files):
    """Estimate the parameters of the decoder from the training annotations.

    Returns
    -------
    dict
        ``beat_prior``: mean target of a beat at any frame (the sum of an event's
        targets is :data:`crema.tasks.beat.WIDTH`), at most .5; ``downbeat_prior``:
        probability that a beat is a downbeat; ``interval_deviation``: standard
        deviation of the logarithm of the ratio of successive intervals between beats;
        ``meters``: probabilities of bars of 2 to 7 beats.
    """
    from crema.tasks.beat import METERS, WIDTH

    ratios, bars = [], np.ones(len(METERS))
    # Add-one smoothing, so that nothing is impossible.
    beat_counts, downbeat_counts = np.ones(2), np.ones(2)
    fields = ("beat.beat", "beat.downbeat")
    for arrays in zip(*(sampling.labels(files, name) for name in fields), strict=True):
        for beat, downbeat in zip(*arrays, strict=True):
            beat_counts += np.bincount(beat[beat >= 0], minlength=2)
            frames = np.flatnonzero(beat[:, 0] == 1)
            ratios.append(np.diff(np.log(np.diff(frames))))
            position = downbeat[frames, 0]
            downbeat_counts += np.bincount(position[position >= 0], minlength=2)
            starts = np.flatnonzero(position == 1)
            unknown = np.cumsum(position < 0)[starts]
            lengths = np.diff(starts)[np.diff(unknown) == 0]
            bars += [np.sum(lengths == meter) for meter in METERS]
    # The median absolute deviation is robust to errors of annotators.
    deviation = 1.4826 * np.median(np.abs(np.concatenate([*ratios, [0.0]])))
    # A corpus is biased: mix its meters half and half with a uniform distribution.
    meters = 0.5 * bars / bars.sum() + 0.5 / len(METERS)
    return {
        "beat_prior": float(min(WIDTH * beat_counts[1] / beat_counts.sum(), 0.5)),
        "downbeat_prior": float(downbeat_counts[1] / downbeat_counts.sum()),
        # A corpus of sequenced music must not rule out the tempo of human players.
        "interval_deviation": float(np.clip(deviation, 0.03, 0.2)),
        "meters": meters.tolist(),
    }


def main(argv=None):
    """Run the stage with the arguments `argv` (default: of the command line)."""
    parser = train.parser(__doc__)
    parser.set_defaults(patch_duration=20.0, batch_size=12)
    option = parser.add_argument_group("network").add_argument
    option(
        "--filters",
        type=int,
        default=8,
        help="3 x 3 filters of the first layer; the second has twice as many",
    )
    option(
        "--channels", type=int, default=32, help="channels per frame, after the filters"
    )
    option("--harmony-filters", type=int, default=16, help="filters per pitch class")
    option(
        "--dilations",
        type=int,
        default=8,
        help="number of layers, each with twice the dilation of the last",
    )
    option("--recurrent-units", type=int, default=64, help="GRU units per direction")
    option("--dropout", type=float, default=0.1, help="dropout rate of activations")
    args = parser.parse_args(argv)
    train.run(args, "beat", network, decoder, monitor="val_loss")


if __name__ == "__main__":
    exceptions.program(main)
