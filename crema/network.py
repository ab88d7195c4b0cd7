"""One interface to trained networks, computed by ONNX Runtime or Keras.

ONNX Runtime computes a ``model.onnx``, Keras a ``model.h5``.  The former needs neither
Keras nor TensorFlow, whose import takes longer than analysing a song.
"""

import math
import os
import pathlib

import numpy as np

from crema import backend
from crema.exceptions import ModelError, first_line, how_to_install
from crema.utils import processes

#: Longest track, in seconds, that is computed as a whole.  This and the next two are
#: rounded up to multiples of :data:`PHASE` frames.
LONGEST = 600
#: Length of the excerpts of longer tracks, in seconds.
EXCERPT = 300
#: Seconds at either end of an excerpt that only provide context; their outputs are cut.
CONTEXT = 28
#: Excerpts begin at multiples of this many frames, so that a network that pools this
#: many, or a divisor, pools the same frames as in the whole track.
PHASE = 720


def path(directory):
    """Return the path of the network in a directory, whether or not it exists."""
    exported = pathlib.Path(directory, "model.onnx")
    return exported if exported.is_file() else exported.with_suffix(".h5")


def load(path):
    """Load a network.

    Parameters
    ----------
    path : str or path-like
        An ``.onnx`` file, or else a Keras file.

    Returns
    -------
    Network

    Raises
    ------
    ModelError
        The file is damaged, or its network cannot be computed here.
    """
    path = pathlib.Path(path)
    kind = OnnxNetwork if path.suffix == ".onnx" else KerasNetwork
    try:
        return kind(path)
    except ImportError as error:
        raise ModelError(
            f"{path}: needs {error.name}, which is not installed; "
            f"{how_to_install(error.name)}"
        ) from error
    except Exception as error:  # the libraries raise many kinds for a damaged file
        raise ModelError(
            f"{path}: is not a usable model ({first_line(error)}); train it again "
            "(snakemake --forcerun train)"
        ) from error


class Network:
    """Base class of both kinds of network.

    Attributes
    ----------
    inputs, outputs : list of str
        Names, in the network's order.
    """

    def run(self, arrays, rate):
        """Compute the outputs for one track.

        To bound memory, a track of more than :data:`LONGEST` seconds is computed in
        excerpts that overlap by twice :data:`CONTEXT`, unless an output has no axis of
        frames.  The result is the same if the receptive field of a frame extends at
        most :data:`CONTEXT` to either side.

        Parameters
        ----------
        arrays : dict of np.ndarray, shape=(n_frames, ...)
            The inputs by name.
        rate : float
            Frames per second.

        Returns
        -------
        dict of np.ndarray, shape=(n_frames, n_classes) or (n_classes,)
            The outputs by name, in the network's order.
        """
        n_frames = max(map(len, arrays.values()))
        longest, excerpt, context = (
            PHASE * math.ceil(seconds * rate / PHASE)
            for seconds in (LONGEST, EXCERPT, CONTEXT)
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
        A network converted by :func:`crema.export.to_onnx`.
    """

    def __init__(self, path):
        # Since 1.29, ONNX Runtime reports the models it runs to its vendor, unless this
        # is set before import; crema makes no network connections.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # By default it uses all cores of the machine, even those that a scheduler has
        # not allotted to this process, and its idle threads spin.
        options.intra_op_num_threads = processes.n_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Neither saves time here and both take much memory: layouts that pad channels
        # to blocks (level ALL), and memory patterns for one track length.
        level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.graph_optimization_level = level
        options.enable_mem_pattern = False
        # Otherwise each network would keep the memory that its longest piece needed.
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
        batch = self.session.run(self.outputs, feed, self.options)
        return {name: array[0] for name, array in zip(self.outputs, batch, strict=True)}


class KerasNetwork(Network):
    """A network that Keras computes; code inside the file is not run.

    Parameters
    ----------
    path : str or path-like
        A file saved by training.
    """

    def __init__(self, path):
        keras = backend.keras()
        from crema import layers  # imports Keras, which must be set up first

        layers.register()
        self.model = keras.models.load_model(path, compile=False, safe_mode=True)
        self.inputs = [tensor.name for tensor in self.model.inputs]
        self.outputs = list(self.model.output_names)

    def compute(self, arrays):
        """Compute the outputs for one track at once; see :meth:`run`."""
        feed = [arrays[name][np.newaxis] for name in self.inputs]
        batch = self.model.predict(feed if len(feed) > 1 else feed[0], verbose=0)
        batch = batch if isinstance(batch, list) else [batch]
        return {name: array[0] for name, array in zip(self.outputs, batch, strict=True)}
