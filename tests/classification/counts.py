"""Reference counts of the classifiers, and how ours are counted."""

import json
import math

from squeeze_tf.efficiency import metrics, workload
from tests import shared_files


def reference(name):
    """The entry of a model, which was computed with other code."""
    path = shared_files.path("reference/architectures/architectures.json")
    return json.loads(path.read_text())["models"][name]


def trained(model):
    """Kernels, biases, scales and offsets, as the thesis counts them."""
    return sum(math.prod(w.shape) for w in model.trainable_weights)


def kernels(model):
    return sum(
        math.prod(w.shape)
        for w in model.trainable_weights
        if "kernel" in w.name
    )


def macs(model):
    return metrics.total(workload.workloads(model)).macs


def layers(model):
    """MACs of each layer that multiplies, in the order in which they run."""
    loads = workload.workloads(model)
    return {load.name: load.macs for load in loads if load.macs}


def reference_layers(entry):
    """The same of a reference, by its names."""
    return {name: macs for name, *_, macs in entry["layers"] if macs}
