"""Fitting a model so that it can be killed at any moment and lose one epoch at most."""

import csv
import json
import warnings

import keras
import numpy as np

from crema.utils import io


def fit(model, patches, excerpts, args, monitor, state):
    """Fit a compiled model, going on from `state` if a killed training left one.

    Parameters
    ----------
    model : keras.Model
        Compiled; it ends with the weights of the best epoch.
    patches : crema.utils.sampling.Patches
        To train on.
    excerpts : crema.utils.sampling.Excerpts
        To validate on.
    args : argparse.Namespace
        The options of :func:`crema.utils.train.parser`.
    monitor : str
        What is to be minimised.
    state : pathlib.Path
        Directory of the state, which belongs to these settings alone.

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
    # Resume comes last: it must see the counters after the others have set them.
    resume = Resume(state / "state.npz", stop, reduce, args.resources / "history.csv")
    first_epoch = resume.load()
    if first_epoch:
        print(f"going on after epoch {first_epoch}", flush=True)
    if first_epoch and (resume.finished or first_epoch >= args.epochs):
        resume.restore(model)
        model.set_weights(stop.best_weights)
        return resume.history
    # Inputs by name are right, for one input too.
    warnings.filterwarnings("ignore", message="The structure of `inputs` doesn't match")
    model.fit(
        patches.batches(first_epoch, args.steps_per_epoch),
        shuffle=False,  # they come shuffled
        steps_per_epoch=args.steps_per_epoch,
        epochs=args.epochs,
        initial_epoch=first_epoch,
        validation_data=Validation(excerpts),
        callbacks=[reduce, stop, resume],
        verbose=2,
    )
    return resume.history


class Validation(keras.utils.PyDataset):
    """The excerpts, finite and the same at every epoch, as Keras wants them."""

    def __init__(self, excerpts):
        super().__init__()
        self.excerpts = excerpts

    def __len__(self):
        """Return the number of batches."""
        return len(self.excerpts)

    def __getitem__(self, number):
        """Return one batch."""
        return self.excerpts[number]


class Resume(keras.callbacks.Callback):
    """Save the whole state of a training after each epoch, and restore it.

    Keras' own BackupAndRestore keeps weights, optimiser and epoch, but not the
    counters of the other callbacks, so that a resumed training would end elsewhere.

    Parameters
    ----------
    path : pathlib.Path
        The ``.npz`` file of the state.
    stop : keras.callbacks.EarlyStopping
        Its counters and best weights are part of the state,
    reduce : keras.callbacks.ReduceLROnPlateau
        and so are the counters of this one.
    history_file : pathlib.Path
        The CSV file for who wants to look on.

    Attributes
    ----------
    history : list of dict
        One row per finished epoch.
    finished : bool
        Whether early stopping ended the training.
    """

    STOP = ("wait", "best", "best_epoch", "stopped_epoch")
    REDUCE = ("wait", "best", "cooldown_counter")

    def __init__(self, path, stop, reduce, history_file):
        super().__init__()
        self.path = path
        self.stop, self.reduce = stop, reduce
        self.history_file = history_file
        self.history = []
        self.finished = False

    def load(self):
        """Return the number of finished epochs, 0 without a saved state."""
        if self.path.is_file():
            with np.load(self.path, allow_pickle=False) as saved:
                record = json.loads(str(saved["record"]))
            self.history, self.finished = record["history"], record["finished"]
        return len(self.history)

    def on_train_begin(self, logs=None):
        """Restore the state, after the other callbacks have reset theirs."""
        if self.path.is_file():
            self.restore(self.model)

    def on_epoch_end(self, epoch, logs=None):
        """Save the state."""
        row = {"epoch": epoch + 1}
        row.update((name, float(value)) for name, value in sorted(logs.items()))
        self.history.append(row)
        self.finished = bool(self.model.stop_training)
        self.save()
        write_history(self.history_file, self.history)

    def save(self):
        """Write the state to one file, so that all of it is of the same epoch."""
        record = {"history": self.history, "finished": self.finished}
        record["stop"] = {key: getattr(self.stop, key) for key in self.STOP}
        record["reduce"] = {key: getattr(self.reduce, key) for key in self.REDUCE}
        arrays = {"record": np.asarray(json.dumps(record))}
        for name, variable in state_variables(self.model):
            arrays[name] = keras.ops.convert_to_numpy(variable)
        for number, weights in enumerate(self.stop.best_weights):
            arrays[f"best{number}"] = weights
        with io.atomic(self.path) as temporary:
            np.savez(temporary, **arrays)

    def restore(self, model):
        """Read the state into `model` and the callbacks."""
        with np.load(self.path, allow_pickle=False) as saved:
            record = json.loads(str(saved["record"]))
            for name, variable in state_variables(model):
                variable.assign(saved[name])
            numbers = range(len(model.get_weights()))
            self.stop.best_weights = [saved[f"best{number}"] for number in numbers]
        for callback, name in ((self.stop, "stop"), (self.reduce, "reduce")):
            for key, value in record[name].items():
                setattr(callback, key, value)


def state_variables(model):
    """Yield ``(name, variable)`` of a model, seeds included, and of its optimiser."""
    model.optimizer.build(model.trainable_variables)
    for group, variables in (
        ("model", model.variables),
        ("optimizer", model.optimizer.variables),
    ):
        for number, variable in enumerate(variables):
            yield f"{group}{number}", variable


def write_history(path, history):
    """Write one CSV row per epoch."""
    with io.atomic(path) as temporary, open(temporary, "w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
