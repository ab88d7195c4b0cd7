"""A trained network behind one interface, whatever computes it.

A network is ``model.onnx``, which ONNX Runtime computes, or ``model.h5``, which Keras
does.  The first needs neither Keras nor TensorFlow, whose import takes longer than a
song.
"""

import math
import os
import pathlib

import numpy as np

from crema import backend
from crema.exceptions import ModelError, first_line
from crema.utils import processes

#: Seconds of the longest track that is computed as a whole.
LONGEST = 600
#: Seconds of the excerpts of longer ones.
EXCERPT = 300
#: Seconds at either end of an excerpt that are there to be heard, and are not returned.
CONTEXT = 28
#: Excerpts begin at multiples of this, so that a network that pools so many frames, or
#: a divisor, pools the same frames as in the whole.
PHASE = 720


def path(directory):
    """Return the path of the network in a directory, whether or not it is there."""
    exported = pathlib.Path(directory, "model.onnx")
    return exported if exported.is_file() else exported.with_suffix(".h5")


def load(path):
    """Load a network.

    Parameters
    ----------
    path : str or path-like
        A ``.onnx`` file, or else one of Keras.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        The file is damaged, or is not a network that can be computed here.
    """
    path = pathlib.Path(path)
    kind = OnnxNetwork if path.suffix == ".onnx" else KerasNetwork
    try:
        return kind(path)
    except ImportError as error:
        raise ModelError(
            f"{path}: needs {error.name}, which crema does without where it can; "
            "pip install crema[training]"
        ) from error
    except Exception as error:  # the libraries raise many kinds for a damaged file
        raise ModelError(
            f"{path}: is not a model that can be used ({first_line(error)}); train it "
            "again"
        ) from error


class Network:
    """What both kinds share.

    Attributes
    ----------
    inputs, outputs : list of str
        Names, in the order of the network.
    """

    def run(self, arrays, rate, longest=LONGEST, excerpt=EXCERPT, context=CONTEXT):
        """Compute the outputs for one track.

        A track of more than `longest` seconds is computed in excerpts that overlap by
        twice `context`, so that memory is bounded, unless an output is not one value
        per frame.  The result is the same as far as what the network hears at a frame
        ends within `context`.

        Parameters
        ----------
        arrays : dict of np.ndarray, shape=(n_frames, ...)
            Each input by name.
        rate : float
            Frames per second.
        longest, excerpt, context : float
            In seconds; in frames they are rounded up to multiples of :data:`PHASE`.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, n_classes) or (n_classes,)
            Each output by name, the first first.
        """
        n_frames = max(map(len, arrays.values()))
        longest, excerpt, context = (
            PHASE * math.ceil(seconds * rate / PHASE)
            for seconds in (longest, excerpt, context)
        )
        if n_frames <= longest:
            return self.compute(arrays)
        step = excerpt - 2 * context
        parts = []
        for start in range(0, n_frames, step):
            first = max(0, start - context)
            last = min(start + step + context, n_frames)
            part = self.compute({name: x[first:last] for name, x in arrays.items()})
            if any(len(x) != last - first for x in part.values()):
                return self.compute(arrays)
            kept = slice(start - first, start - first + step)
            parts.append({name: x[kept] for name, x in part.items()})
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in self.outputs
        }

    def compute(self, arrays):
        """Compute the outputs for one track at once; see :meth:`run`."""
        raise NotImplementedError


class OnnxNetwork(Network):
    """A network that ONNX Runtime computes on the CPU.

    Parameters
    ----------
    path : str or path-like
        What :func:`crema.export.to_onnx` made.
    """

    def __init__(self, path):
        # Since 1.29 it tells its makers which models it computes, unless told not to
        # before it is loaded; crema does not use the network.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # By default it takes each core of the machine, those included that a scheduler
        # has not given to this process, and keeps them busy while they wait.
        options.intra_op_num_threads = processes.n_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Both save nothing here and cost much memory: layouts that pad the channels to
        # blocks, and plans of memory for one length of track.
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.graph_optimization_level = level
        options.enable_mem_pattern = False
        # What the longest piece needed would be kept for the next, by each network.
        self.options = onnxruntime.RunOptions()
        shrink = "memory.enable_memory_arena_shrinkage"
        self.options.add_run_config_entry(shrink, "cpu:0")
        self.session = onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [node.name for node in self.session.get_inputs()]
        self.outputs = [node.name for node in self.session.get_outputs()]

    def compute(self, arrays):
        """Compute the outputs for one track at once; see :meth:`run`."""
        feed = {name: arrays[name][np.newaxis] for name in self.inputs}
        found = self.session.run(self.outputs, feed, self.options)
        return {name: array[0] for name, array in zip(self.outputs, found, strict=True)}


class KerasNetwork(Network):
    """A network that Keras computes; code inside the file is not run.

    Parameters
    ----------
    path : str or path-like
        What a training left.
    """

    def __init__(self, path):
        keras = backend.keras()
        from crema import layers  # uses Keras, which only now is set up

        layers.register()
        self.model = keras.models.load_model(path, compile=False, safe_mode=True)
        self.inputs = [tensor.name for tensor in self.model.inputs]
        self.outputs = list(self.model.output_names)

    def compute(self, arrays):
        """Compute the outputs for one track at once; see :meth:`run`."""
        feed = [arrays[name][np.newaxis] for name in self.inputs]
        found = self.model.predict(feed if len(feed) > 1 else feed[0], verbose=0)
        found = found if isinstance(found, list) else [found]
        return {name: array[0] for name, array in zip(self.outputs, found, strict=True)}
