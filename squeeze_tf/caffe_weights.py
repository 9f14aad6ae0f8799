"""ImageNet weights of Caffe networks, as the authors' code starts from.

SqueezeNet v1.1, VGG16 and ResNet50 were published as .caffemodel files; the
authors' code reads them from a .pkl made by joblib, a dict of layer name to
[kernel, bias]. Either is read here.
"""

import os
import pathlib

import joblib
import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

keras = tf.keras

_FIRST = ("conv1", "conv1_1")  # kernels here take red, green, blue


def load(model: keras.Model, path: str | os.PathLike) -> tuple[list, list]:
    """Sets the layers of `model` whose names the file has.

    A layer here ends in the Caffe layer's name, "fire2_squeeze1x1" for
    "fire2/squeeze1x1". Kernels of the first convolution change from blue,
    green, red to red, green, blue. Normalisation layers, "res2a_branch1_bn",
    take Caffe's "bn2a_branch1" and "scale2a_branch1".

    Args:
      model: built by this package.
      path: .caffemodel or .pkl.

    Returns:
      Names of the model's layers that were set, and of those with weights
      that were not.

    Raises:
      ValueError: the file cannot be read, a kernel has another shape than the
        model's, or no layer is set; the message names the file.
      OSError: there is no such file.
    """
    blobs = read(path)
    values, left = {}, []
    for layer in model.layers:
        if not layer.weights or layer.name == "normalized":
            continue
        found = _weights_of(layer, blobs)
        if found is None:
            left.append(layer.name)
            continue
        for weight, value in zip(layer.get_weights(), found):
            if weight.shape != value.shape:
                raise ValueError(
                    f"{path}: {layer.name} is {value.shape}, the model's "
                    f"{weight.shape}"
                )
        values[layer.name] = found
    if not values:
        raise ValueError(
            f"{path}: expected layers of {model.name}; got "
            f"{', '.join(list(blobs)[:5])}, ..."
        )
    for name, found in values.items():
        model.get_layer(name).set_weights(found)
    return list(values), left


def read(path: str | os.PathLike) -> dict[str, list[np.ndarray]]:
    """Layer name to its blobs, float32, as Caffe orders their axes."""
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if path.suffix == ".pkl":
            found = joblib.load(path)
        else:
            found = _read_caffemodel(path.read_bytes())
        return {
            str(name): [np.asarray(blob, np.float32) for blob in blobs]
            for name, blobs in found.items()
            if len(blobs)
        }
    except Exception as error:
        raise ValueError(
            f"{path}: expected a .caffemodel, or a .pkl of layer names to "
            f"arrays; {type(error).__name__}: {error}"
        ) from error


def _weights_of(
    layer: keras.layers.Layer, blobs: dict[str, list[np.ndarray]]
) -> list[np.ndarray] | None:
    """What set_weights() takes, None where the file has nothing."""
    name = _caffe_name(layer.name.removesuffix("_bn"), blobs)
    if isinstance(layer, keras.layers.BatchNormalization):
        unit = layer.name.removesuffix("_bn").split("_res")[-1]
        names = (f"bn{unit}", f"scale{unit}")
        if layer.name == "conv1_bn":
            names = ("bn_conv1", "scale_conv1")
        if not all(n in blobs for n in names):
            return None
        (mean, variance, *scale), (gamma, beta) = (blobs[n] for n in names)
        factor = 1 / scale[0].item() if scale and scale[0].item() else 1.0
        return [
            value.reshape(-1)
            for value in (gamma, beta, mean * factor, variance * factor)
        ]
    if name is None:
        return None
    kernel, *bias = blobs[name]
    kernel = kernel.transpose(2, 3, 1, 0)  # [N, M, K, K] to [K, K, M, N]
    if name.split("/")[-1] in _FIRST:
        kernel = kernel[:, :, ::-1]
    return [kernel, *(b.reshape(-1) for b in bias)][: len(layer.weights)]


def _caffe_name(layer: str, names: object) -> str | None:
    """The Caffe layer that a layer here is named after."""
    fitting = [
        name
        for name in names
        if layer == name.replace("/", "_")
        or layer.endswith("_" + name.replace("/", "_"))
    ]
    return max(fitting, key=len, default=None)


def _read_caffemodel(content: bytes) -> dict[str, list[np.ndarray]]:
    """The layers of a NetParameter, of its present and its first format."""
    net = _net_parameter()()
    net.ParseFromString(content)
    found = {}
    for layer in (*net.layer, *net.layers):
        found[layer.name] = [
            np.array(blob.data, np.float32).reshape(
                blob.shape.dim
                or (blob.num, blob.channels, blob.height, blob.width)
            )
            for blob in layer.blobs
        ]
    if not found:
        raise ValueError("it has no layers")
    return found


def _net_parameter() -> type:
    """The parts of Caffe's caffe.proto that hold weights."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="squeeze_tf_caffe.proto", package="squeeze_tf_caffe"
    )
    for message, fields in (
        ("BlobShape", (("dim", 1, kinds.TYPE_INT64, True),)),
        (
            "BlobProto",
            (
                ("num", 1, kinds.TYPE_INT32, False),
                ("channels", 2, kinds.TYPE_INT32, False),
                ("height", 3, kinds.TYPE_INT32, False),
                ("width", 4, kinds.TYPE_INT32, False),
                ("data", 5, kinds.TYPE_FLOAT, True),
                ("shape", 7, "BlobShape", False),
            ),
        ),
        (
            "V1LayerParameter",
            (
                ("name", 4, kinds.TYPE_STRING, False),
                ("blobs", 6, "BlobProto", True),
            ),
        ),
        (
            "LayerParameter",
            (
                ("name", 1, kinds.TYPE_STRING, False),
                ("blobs", 7, "BlobProto", True),
            ),
        ),
        (
            "NetParameter",
            (
                ("layers", 2, "V1LayerParameter", True),
                ("layer", 100, "LayerParameter", True),
            ),
        ),
    ):
        made = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            field = made.field.add(
                name=name,
                number=number,
                label=kinds.LABEL_REPEATED
                if repeated
                else kinds.LABEL_OPTIONAL,
            )
            if isinstance(kind, str):
                field.type = kinds.TYPE_MESSAGE
                field.type_name = f".{file.package}.{kind}"
            else:
                field.type = kind
                if repeated:
                    field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{file.package}.NetParameter")
    )
