"""Convert Keras networks to ONNX, which ONNX Runtime computes without TensorFlow.

:data:`LAYERS` maps each class of Keras layers to the function that writes it as ONNX
operators.  A custom layer has a method for that::

    def to_onnx(self, op, x):
        return op("Mul", x, self.factor)

``op`` is the :class:`Graph`.  The other arguments name the layer's inputs, whose axes
are those that they have in Keras.  The method returns the name of the result.

tf2onnx would convert a GRU to a loop (onnx/tensorflow-onnx#1684), which is far slower
than the operator, and only with the TensorFlow backend.  The layers are those of the
three networks and other common ones, for an estimator of your own.
"""

import functools

import keras
import numpy as np
import onnx
from keras import activations, layers
from onnx import helper, numpy_helper

from crema.exceptions import ModelError, first_line

#: Versions of the ONNX operators, and of the file format of the same release.
OPSET, FORMAT = 20, 9

#: Conversion function of each class of layers.
LAYERS = {}


def to_onnx(model):
    """Convert a network.

    Parameters
    ----------
    model : keras.Model
        A functional model, or a sequential one that has an input.

    Returns
    -------
    onnx.ModelProto
        Its inputs and outputs have the names and types of those of `model`; axes of
        unspecified length stay so.

    Raises
    ------
    ModelError
        A layer, or a parameter of a layer, cannot be converted.
    """
    model, op = _functional(model), Graph()
    inputs = [tensor.name for tensor in model.inputs]
    results = nested(op, model, *inputs)
    for result, name in zip(results, model.output_names, strict=True):
        op("Identity", result, name=name)
    graph = helper.make_graph(
        op.nodes,
        model.name,
        list(map(_declaration, inputs, model.inputs)),
        list(map(_declaration, model.output_names, model.outputs)),
        op.constants,
    )
    exported = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=FORMAT,
        producer_name="crema",
    )
    try:
        onnx.checker.check_model(exported, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(
            f"the network cannot be exported to ONNX ({first_line(error)})"
        ) from error
    return exported


def _functional(model):
    # A sequential model wraps a functional one once it has an input.
    graph = getattr(model, "_functional", model)
    if not hasattr(graph, "_nodes_by_depth"):
        raise unsupported(model, "a model that is not functional")
    return graph


def _declaration(name, tensor):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(name, kind, ["batch", *tensor.shape[1:]])


class Graph:
    """The operators of an ONNX graph, in the order of their computation.

    Calling it adds one: ``op("Conv", x, weights, strides=[1, 1])`` returns the name of
    the result.  Inputs are names or numbers; numbers become constants, ``int64`` if
    they are integers and ``float32`` otherwise.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto
    shapes : dict of str to tuple
        Shapes of the tensors that also exist in Keras; None is an unspecified length.
    """

    def __init__(self):
        self.nodes, self.constants, self.shapes = [], [], {}

    def __call__(self, kind, *inputs, name=None, output=0, **attributes):
        """Add an operator; return the name of its output number `output`."""
        inputs = [x if isinstance(x, str) else self._constant(x) for x in inputs]
        # Keras allows no slash in names, so this cannot clash with the model's.
        name = name or f"{kind}/{len(self.nodes)}"
        outputs = [""] * output + [name]
        self.nodes.append(helper.make_node(kind, inputs, outputs, name, **attributes))
        return name

    def _constant(self, values):
        values = np.asarray(values)
        integer = np.issubdtype(values.dtype, np.integer)
        values = values.astype(np.int64 if integer else np.float32)
        name = f"constant/{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name


def converts(*classes):
    """Register the decorated function as the converter of classes of layers."""

    def register(function):
        LAYERS.update(dict.fromkeys(classes, function))
        return function

    return register


def convert(op, layer, *inputs):
    """Write a layer or a model; return the name of its result, or a list of names."""
    if isinstance(layer, keras.Model):
        return nested(op, layer, *inputs)
    if hasattr(layer, "to_onnx"):
        return layer.to_onnx(op, *inputs)
    # Exact classes only: a subclass can compute something else.
    if type(layer) not in LAYERS:
        raise unsupported(layer, "a layer of this class")
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise unsupported(layer, f"data_format={layer.data_format}")
    return LAYERS[type(layer)](op, layer, *inputs)


def nested(op, model, *inputs):
    """Write all layers of a model; return the names of its outputs."""
    graph, names_of = _functional(model), {}

    def remember(tensors, names):
        for tensor, name in zip(tensors, names, strict=True):
            names_of[id(tensor)] = name
            op.shapes[name] = tensor.shape

    remember(graph.inputs, inputs)
    for _, nodes in sorted(graph._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            if node.is_input:
                continue
            if node.arguments.kwargs.get("training"):
                raise unsupported(node.operation, "a call with training=True")
            names = (names_of[id(tensor)] for tensor in node.input_tensors)
            results = convert(op, node.operation, *names)
            results = [results] if isinstance(results, str) else results
            remember(node.output_tensors, results)
    return [names_of[id(tensor)] for tensor in graph.outputs]


def unsupported(layer, what):
    """Return the error that a part of a layer cannot be exported."""
    return ModelError(
        f"layer {layer.name} ({type(layer).__name__}): {what} cannot be exported to "
        "ONNX; use other layers, or give the layer a method to_onnx (crema/export.py)"
    )


# Activations


ACTIVATIONS = {
    activations.elu: lambda op, x: op("Elu", x),
    activations.gelu: lambda op, x: op("Gelu", x),
    activations.linear: lambda op, x: x,
    activations.relu: lambda op, x: op("Relu", x),
    activations.sigmoid: lambda op, x: op("Sigmoid", x),
    activations.silu: lambda op, x: op("Mul", x, op("Sigmoid", x)),  # or swish
    activations.softmax: lambda op, x: op("Softmax", x),
    activations.tanh: lambda op, x: op("Tanh", x),
}


@converts(layers.Activation)
def activation(op, layer, x):
    """Write the activation of a layer."""
    if layer.activation not in ACTIVATIONS:
        raise unsupported(layer, f"the activation {layer.activation}")
    return ACTIVATIONS[layer.activation](op, x)


@converts(layers.ReLU)
def _relu(op, layer, x):
    if layer.threshold or layer.negative_slope or layer.max_value is not None:
        raise unsupported(layer, "a threshold, slope or maximum")
    return op("Relu", x)


@converts(layers.Softmax)
def _softmax(op, layer, x):
    if not isinstance(layer.axis, int):
        raise unsupported(layer, "more than one axis")
    return op("Softmax", x, axis=layer.axis)


@converts(layers.ELU)
def _elu(op, layer, x):
    return op("Elu", x, alpha=float(layer.alpha))


# Scaling, and layers that act in training only


@converts(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D)
def _nothing(op, layer, x):
    return x


@converts(layers.Rescaling)
def _rescaling(op, layer, x):
    x = op("Cast", x, to=onnx.TensorProto.FLOAT)
    return op("Add", op("Mul", x, np.float32(layer.scale)), np.float32(layer.offset))


@converts(layers.BatchNormalization)
def _batch_normalization(op, layer, x):
    scale = 1 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma)
    shift = -np.asarray(layer.moving_mean) * scale
    if layer.center:
        shift = shift + np.asarray(layer.beta)
    shape = np.ones(len(op.shapes[x]), dtype=int)
    shape[layer.axis] = -1
    return op("Add", op("Mul", x, scale.reshape(shape)), shift.reshape(shape))


# Convolution and pooling


def spatial(op, layer, kind, x, size, *weights, strides, dilation=None, **attributes):
    """Write a convolution or pooling, whose channels ONNX expects before other axes."""
    n = len(size)
    reach = [length - 1 for length in size]
    if dilation:
        attributes["dilations"] = dilation
        reach = np.multiply(reach, dilation).tolist()
    if layer.padding == "causal":
        attributes["pads"] = [*reach, *[0] * n]
    elif layer.padding == "same" and max(strides) == 1:
        attributes["pads"] = [r // 2 for r in reach] + [r - r // 2 for r in reach]
    elif layer.padding == "same":
        # This padding depends on the length; with dilation, ONNX Runtime rejects it.
        attributes["auto_pad"] = "SAME_UPPER"
    # ONNX Runtime removes adjacent transposes that cancel.
    x = op("Transpose", x, perm=[0, n + 1, *range(1, n + 1)])
    x = op(kind, x, *weights, kernel_shape=size, strides=strides, **attributes)
    return op("Transpose", x, perm=[0, *range(2, n + 2), 1])


@converts(layers.Conv1D, layers.Conv2D)
def _convolution(op, layer, x):
    kernel = np.moveaxis(np.asarray(layer.kernel), (-1, -2), (0, 1))
    bias = [np.asarray(layer.bias)] if layer.use_bias else []
    x = spatial(
        *(op, layer, "Conv", x, layer.kernel_size, kernel, *bias),
        strides=layer.strides,
        dilation=layer.dilation_rate,
        group=layer.groups,
    )
    return activation(op, layer, x)


def _pooling(kind, reduction):
    def pool(op, layer, x):
        axes = [axis for axis, size in enumerate(layer.pool_size, 1) if size > 1]
        sizes = [layer.pool_size[axis - 1] for axis in axes]
        whole = sizes == [op.shapes[x][axis] for axis in axes]
        if whole and layer.padding == "valid":  # needs no transposes
            return op(reduction, x, axes, keepdims=1)
        return spatial(op, layer, kind, x, layer.pool_size, strides=layer.strides)

    return pool


@converts(layers.GlobalAveragePooling1D)
def _mean_over_time(op, layer, x):
    return op("ReduceMean", x, [1], keepdims=int(layer.keepdims))


LAYERS |= {
    layers.AveragePooling1D: _pooling("AveragePool", "ReduceMean"),
    layers.AveragePooling2D: _pooling("AveragePool", "ReduceMean"),
    layers.MaxPooling1D: _pooling("MaxPool", "ReduceMax"),
    layers.MaxPooling2D: _pooling("MaxPool", "ReduceMax"),
}


# Axes


@converts(layers.ZeroPadding1D, layers.ZeroPadding2D)
def _zero_padding(op, layer, x):
    before, after = np.reshape(layer.padding, (-1, 2)).T
    return op("Pad", x, [0, *before, 0, 0, *after, 0])


@converts(layers.Cropping1D, layers.Cropping2D)
def _cropping(op, layer, x):
    before, after = np.reshape(layer.cropping, (-1, 2)).T
    # ONNX clamps the end to the length of the axis.
    ends = np.where(after, -after, np.iinfo(np.int64).max)
    return op("Slice", x, before, ends, range(1, len(ends) + 1))


LAYERS |= {
    # 0 keeps the length of the axis.
    layers.Reshape: lambda op, layer, x: op("Reshape", x, [0, *layer.target_shape]),
    layers.Flatten: lambda op, layer, x: op("Reshape", x, [0, -1]),
    layers.Permute: lambda op, layer, x: op("Transpose", x, perm=[0, *layer.dims]),
    layers.Concatenate: lambda op, layer, *x: op("Concat", *x, axis=layer.axis),
}


# Arithmetic


@converts(layers.Add)
def _add(op, layer, *inputs):
    if len({len(op.shapes[x]) for x in inputs}) > 1:
        raise unsupported(layer, "inputs with different numbers of axes")
    return functools.reduce(functools.partial(op, "Add"), inputs)


@converts(layers.Dot)
def _dot(op, layer, x, y):
    sequences = len(op.shapes[x]) == len(op.shapes[y]) == 3
    if layer.axes != 1 or layer.normalize or not sequences:
        raise unsupported(layer, "anything but a product over the frames")
    return op("Einsum", x, y, equation="bzd,bzq->bdq")


@converts(layers.Dense)
def _dense(op, layer, x):
    x = op("MatMul", x, np.asarray(layer.kernel))
    if layer.use_bias:
        x = op("Add", x, np.asarray(layer.bias))
    return activation(op, layer, x)


# Recurrent layers

#: ONNX operator of each cell, and in the order of ONNX the Keras indices of its gates
#: and its activations.
RECURRENT = {
    layers.GRU: ("GRU", [0, 1, 2], ["recurrent_activation", "activation"]),
    layers.LSTM: ("LSTM", [0, 3, 1, 2], ["recurrent_activation", *["activation"] * 2]),
}
#: Activations that these operators support.
GATES = {
    activations.relu: "Relu",
    activations.sigmoid: "Sigmoid",
    activations.tanh: "Tanh",
}


@converts(*RECURRENT, layers.Bidirectional)
def recurrent(op, layer, x, *states):
    """Write a unidirectional or bidirectional recurrent layer as one operator."""
    cells, merge = [layer], "concat"
    if isinstance(layer, layers.Bidirectional):
        cells, merge = [layer.forward_layer, layer.backward_layer], layer.merge_mode
    first, backwards = cells[0], [False, True]
    if (
        type(first) not in RECURRENT
        or merge != "concat"
        or any((type(one), one.units) != (type(first), first.units) for one in cells)
        or [one.go_backwards for one in cells] != backwards[: len(cells)]
        or (states or layer.return_state or layer.stateful)
    ):
        raise unsupported(layer, "this use of cells, states or directions")
    kind, order, names = RECURRENT[type(first)]
    functions = [getattr(one, name) for one in cells for name in names]
    if not set(functions) <= set(GATES):
        raise unsupported(layer, f"one of the activations {functions}")
    attributes = {"activations": [GATES[one] for one in functions]}
    if kind == "GRU":
        attributes["linear_before_reset"] = int(first.reset_after)
    if len(cells) == 2:
        attributes["direction"] = "bidirectional"
    weights = zip(*(_weights(one, order) for one in cells), strict=True)
    x = op(
        *(kind, op("Transpose", x, perm=[1, 0, 2]), *map(np.stack, weights)),
        # Output 1 is the last step of each direction.
        output=0 if layer.return_sequences else 1,
        hidden_size=first.units,
        **attributes,
    )
    # Axes before: frames (of sequences), directions, batch, units.
    x = op("Transpose", x, perm=[2, 0, 1, 3] if layer.return_sequences else [1, 0, 2])
    return op("Reshape", x, [0, 0, -1] if layer.return_sequences else [0, -1])


def _weights(layer, order):
    """Return kernel, recurrent kernel and biases of one direction."""

    def gates(values):
        parts = np.split(values, len(order), axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    # ONNX has an input bias and a recurrent bias, Keras often only the first.
    biases = np.zeros((2, len(order) * layer.units))
    if layer.use_bias:
        bias = np.atleast_2d(np.asarray(layer.cell.bias))
        biases[: len(bias)] = bias
    kernels = layer.cell.kernel, layer.cell.recurrent_kernel
    return *(gates(np.asarray(kernel)).T for kernel in kernels), gates(biases).ravel()
