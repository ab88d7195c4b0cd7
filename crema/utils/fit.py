"""Resumable fitting of a model.

A training that is asked to stop (by Ctrl-C, or by SIGTERM, as clusters send before
preemption) saves its state after the current batch.  One that is killed loses at most
the current epoch.  Both end with the weights of an uninterrupted training.
"""

import contextlib
import json
import signal
import warnings

import keras
import numpy as np

from crema import backend
from crema.exceptions import DataError
from crema.utils import cli, disk

#: Largest momentum of the mean of the weights, and batches of its warm-up.  It grows
#: with the batches: at first the mean spans about the last tenth of them.
MOMENTUM, WARM_UP = 0.998, 10


def fit(model, patches, excerpts, args, monitor, state):
    """Fit a compiled model, and resume from `state` if it exists.

    Parameters
    ----------
    model : keras.Model
        Compiled, with a target for each output; it gets the mean weights of the best
        epoch, see :class:`Average`.
    patches : crema.utils.sampling.Patches
        Training patches.
    excerpts : crema.utils.sampling.Excerpts
        Validation excerpts.
    args : argparse.Namespace
        The options of :func:`crema.utils.train.parser`.
    monitor : str
        Metric to minimise.
    state : pathlib.Path
        Directory of the state; it must belong to these settings only.

    Returns
    -------
    list of dict
        One row per epoch.
    """
    stop = keras.callbacks.EarlyStopping(
        monitor, patience=args.stop_patience, restore_best_weights=True, mode="min"
    )
    reduce = keras.callbacks.ReduceLROnPlateau(
        monitor, factor=0.5, patience=args.reduce_patience, mode="min"
    )
    average = Average()
    history_file = args.resources / "history.csv"
    resume = Resume(
        state / "state.npz", stop, reduce, average, history_file, args.steps_per_epoch
    )
    # Early stopping must see the mean weights before Average swaps them out.  Resume
    # comes last, to save counters and weights after the others have set them.
    callbacks = [reduce, stop, average, resume]
    build(model, excerpts[0])
    epoch, step = resume.load()
    # Inputs by name are intended, also for a single input.
    warnings.filterwarnings("ignore", message="The structure of `inputs` doesn't match")
    with told_to_stop(resume.stop_after_batch):
        if epoch or step:
            into = f" and {step} batches" if step else ""
            print(f"resuming after epoch {epoch}{into}", flush=True)
        while epoch < args.epochs and not resume.finished:
            # Keras sees the rest of an interrupted epoch as an epoch of its own.
            until = epoch + 1 if step else args.epochs
            model.fit(
                patches.batches(epoch, args.steps_per_epoch, step),
                shuffle=False,  # they come shuffled
                steps_per_epoch=args.steps_per_epoch - step,
                epochs=until,
                initial_epoch=epoch,
                validation_data=Validation(excerpts),
                callbacks=callbacks,
                verbose=2,
            )
            epoch, step = until, 0
    resume.restore(model)
    model.set_weights(stop.best_weights)
    return resume.history


def build(model, batch):
    """Create the variables of the optimizer, the losses and the metrics.

    TensorFlow traces a step a second time if the first one creates variables, which
    takes seconds.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    batch : tuple
        Inputs, targets and weights of the samples.
    """
    inputs, targets, weights = batch
    model.optimizer.build(model.trainable_variables)
    outputs = []
    for output, target in zip(model.outputs, targets, strict=True):
        # Of unknown length in time, and in the number of samples.
        sizes = zip(output.shape, target.shape, strict=True)
        outputs.append(np.zeros([size or given for size, given in sizes]))
    model.compute_loss(inputs, targets, outputs, weights)
    model.compute_metrics(inputs, targets, outputs, weights)
    model.reset_metrics()


@contextlib.contextmanager
def told_to_stop(stop):
    """Call `stop` at the first SIGTERM or SIGINT, instead of its usual handler."""
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in signals}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number, frame):
        restore()  # a second signal stops at once
        stop()

    for number in signals:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


class Validation(keras.utils.PyDataset):
    """The validation excerpts as a Keras data set, the same at every epoch."""

    def __init__(self, excerpts):
        super().__init__()
        self.excerpts = excerpts

    def __len__(self):
        """Return the number of batches."""
        return len(self.excerpts)

    def __getitem__(self, number):
        """Return one batch."""
        return self.excerpts[number]


class Average(keras.callbacks.Callback):
    """Validate with the running mean of the weights, not with those of the last batch.

    Each batch pulls the weights towards its few tracks, so that the validation loss
    fluctuates.  The mean of the weights is better at once; the weights themselves get
    as good only when the learning rate is lowered.

    Attributes
    ----------
    count : int
        Number of batches so far.
    mean : list of np.ndarray, or None
        Mean of each weight of the model; None before the first batch.

    References
    ----------
    B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by
    averaging", SIAM Journal on Control and Optimization, 1992.
    """

    def __init__(self):
        super().__init__()
        self.count, self.mean, self.own = 0, None, None

    def on_train_batch_end(self, batch, logs=None):
        """Update the mean."""
        weights = weights_of(self.model)
        self.count += 1
        keep = min(MOMENTUM, self.count / (self.count + WARM_UP))
        self.mean = self.mean or weights
        self.mean = [
            mean + np.float32(1 - keep) * (weight - mean)
            for mean, weight in zip(self.mean, weights, strict=True)
        ]

    def on_test_begin(self, logs=None):
        """Swap the mean in, for validation and early stopping."""
        self.own = weights_of(self.model)
        self.model.set_weights(self.mean)

    def on_epoch_end(self, epoch, logs=None):
        """Swap the weights of the last batch in again."""
        self.model.set_weights(self.own)


def weights_of(model):
    """Return the weights of a model during training."""
    sync(model)
    return model.get_weights()


def sync(model):
    """Update the variables of a model, also within an epoch."""
    if backend.name() == "jax":
        model.jax_state_sync()  # JAX keeps them outside of the model


class Resume(keras.callbacks.Callback):
    """Save the state of a training after each epoch or on request, and restore it.

    Keras' own BackupAndRestore saves weights, optimiser and epoch, but not the
    counters of the other callbacks, so that a resumed training would end differently.

    Parameters
    ----------
    path : pathlib.Path
        ``.npz`` file of the state.
    stop : keras.callbacks.EarlyStopping
        Its counters and best weights are part of the state.
    reduce : keras.callbacks.ReduceLROnPlateau
        Its counters are part of the state.
    average : Average
        Its count and means are part of the state.
    history_file : pathlib.Path
        CSV file that shows the progress.
    n_steps : int
        Batches in an epoch.

    Attributes
    ----------
    history : list of dict
        One row per finished epoch.
    step : int
        Finished batches of the current epoch.
    finished : bool
        Whether early stopping ended the training.
    """

    STOP = ("wait", "best", "best_epoch", "stopped_epoch")
    REDUCE = ("wait", "best", "cooldown_counter")

    def __init__(self, path, stop, reduce, average, history_file, n_steps):
        super().__init__()
        self.path = path
        self.stop, self.reduce, self.average = stop, reduce, average
        self.history_file = history_file
        self.n_steps = n_steps
        self.history = []
        self.step = 0
        self.finished = False
        self.told = False
        self.before = (0, {})

    def load(self):
        """Return the numbers of finished epochs and of finished batches of the next."""
        if self.path.is_file():
            with np.load(self.path, allow_pickle=False) as saved:
                record = json.loads(str(saved["record"]))
            self.history, self.finished = record["history"], record["finished"]
            self.step, self.before = record["step"], (record["step"], record["means"])
        return len(self.history), self.step

    def stop_after_batch(self):
        """Request to save the state after the current batch, and to exit."""
        self.told = True

    def on_train_begin(self, logs=None):
        """Restore the state after the other callbacks have reset theirs."""
        if self.path.is_file():
            self.restore(self.model)

    def on_train_batch_end(self, batch, logs=None):
        """Count the batch, and exit if requested."""
        self.step += 1
        left = self.n_steps - self.step
        # A stop during validation resumes before the last batch of the epoch.
        if left == 1 or (left and self.told):
            self.save(self.means(logs))
        self.leave_if_told()

    def on_test_batch_end(self, batch, logs=None):
        """Exit if requested."""
        self.leave_if_told()

    def leave_if_told(self):
        """Exit if requested; the state must be saved."""
        if self.told:
            cli.say("stopped; run the same command again to resume")
            raise SystemExit(128 + signal.SIGTERM)

    def on_epoch_end(self, epoch, logs=None):
        """Save the state and the history, unless the training diverged."""
        row = {"epoch": epoch + 1}
        row.update(sorted(self.means(logs).items()))
        wrong = [name for name, value in row.items() if not np.isfinite(value)]
        if wrong:
            raise DataError(
                f"the training diverged in epoch {epoch + 1}: {', '.join(wrong)} is "
                "not finite; lower learning_rate, or look for values in the features "
                "that are not finite"
            )
        self.history.append(row)
        self.step, self.before = 0, (0, {})
        self.finished = bool(self.model.stop_training)
        self.save()
        write_history(self.history_file, self.history)

    def means(self, logs):
        """Return means over an epoch, of which Keras saw only the end if it resumed."""
        steps, earlier = self.before
        means = {name: float(value) for name, value in logs.items()}
        for name, value in earlier.items():
            means[name] += (value - means[name]) * steps / self.step
        return means

    def save(self, means=None):
        """Write the state to one file, so that it is consistent."""
        sync(self.model)
        record = {"history": self.history, "finished": self.finished}
        record |= {"step": self.step, "means": means or {}}
        record["stop"] = {key: getattr(self.stop, key) for key in self.STOP}
        record["reduce"] = {key: getattr(self.reduce, key) for key in self.REDUCE}
        record["average"] = {"count": self.average.count}
        arrays = {"record": np.asarray(json.dumps(record))}
        for name, variable in state_variables(self.model):
            arrays[name] = keras.ops.convert_to_numpy(variable)
        arrays |= numbered("best", self.stop.best_weights or [])
        arrays |= numbered("mean", self.average.mean)
        with disk.atomic(self.path) as temporary:
            np.savez(temporary, **arrays)

    def restore(self, model):
        """Load the state into `model` and the callbacks."""
        with np.load(self.path, allow_pickle=False) as saved:
            record = json.loads(str(saved["record"]))
            for name, variable in state_variables(model):
                variable.assign(saved[name])
            if record["history"]:
                best = numbered("best", model.weights)
                self.stop.best_weights = [saved[name] for name, _ in best]
            mean = numbered("mean", model.weights)
            self.average.mean = [saved[name] for name, _ in mean]
        for name in ("stop", "reduce", "average"):
            for key, value in record[name].items():
                setattr(getattr(self, name), key, value)


def state_variables(model):
    """Yield ``(name, variable)`` of a model, its seeds and its optimiser."""
    model.optimizer.build(model.trainable_variables)
    yield from numbered("model", model.variables)
    yield from numbered("optimizer", model.optimizer.variables)


def numbered(name, values):
    """Yield ``(nameN, value)`` for each of some values."""
    for number, value in enumerate(values):
        yield f"{name}{number}", value


def write_history(path, history):
    """Write one CSV row per epoch."""
    names = list(history[0])
    rows = [[row[name] for name in names] for row in history]
    disk.write_csv(path, [names, *rows])
