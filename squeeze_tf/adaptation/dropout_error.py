"""How far dropped pixels change a filter's output, Ch. 5 §3.1 and Fig. 4."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tqdm
from scipy import ndimage

from squeeze_tf.layers import fire
from squeeze_tf.segmentation import models

keras = tf.keras
Filter = Callable[[tf.Tensor], tf.Tensor]

_SMOOTHNESS = 3.0  # Ours: cells, so that the module's window sees one structure
_BATCH = 8  # Ours: tensors of a training step
_POOL = 64  # Ours: tensors that training draws from, each time dropped anew
_LEARNING_RATE = 0.01  # Ours: of Adam; the error stops falling in 200 steps


@dataclasses.dataclass(frozen=True)
class Errors:
    """Output errors of one filter, with or without a module before it.

    Args:
      module: key of MODULES.
      relative: [P, D] of D draws for each probability: |y' - y| / |y|, y the
        output of this filter, module included, and y' that of the tensor with
        dropped pixels; root of the sum of squares over all outputs.
      unscaled: [P, D] |y' - y| / |z|, z the output of the convolution alone.
        A module that only makes outputs smaller makes this error smaller too.
      open_share: of the numbers of the whole tensor, those that the module
        lets through by half or more; 1 without a module.
    """

    module: str
    relative: np.ndarray
    unscaled: np.ndarray
    open_share: float


def independent(random: np.random.Generator, shape: tuple) -> np.ndarray:
    """Standard normal pixels; arguments as smooth()."""
    return random.standard_normal(shape, np.float32)


def smooth(random: np.random.Generator, shape: tuple) -> np.ndarray:
    """Low-pass filtered noise with mean 0 and deviation 1 in each channel.

    Neighbours are alike, as in a scan; independent pixels hold no context.

    Args:
      random: source.
      shape: B, H, W, C.

    Returns:
      [B, H, W, C] float32.
    """
    reach = (0, _SMOOTHNESS, _SMOOTHNESS, 0)
    x = ndimage.gaussian_filter(independent(random, shape), reach, mode="wrap")
    x -= x.mean((1, 2), keepdims=True)
    return x / x.std((1, 2), keepdims=True)


def rectified(random: np.random.Generator, shape: tuple) -> np.ndarray:
    """smooth() behind a ReLU, as all inputs of the network's modules are."""
    return np.maximum(smooth(random, shape), 0)


INPUTS = {
    "independent": independent,
    "smooth": smooth,
    "rectified": rectified,
}
# The thesis does not say whether its module was trained; "steady" and
# "faithful" are two ways of doing so. What "fixed" does, it does without
# looking at the neighbourhood.
MODULES = {
    "none": "the convolution alone",
    "random": "module as it is initialised",
    "steady": "trained so that its output changes least, |y' - y| / |y|",
    "fixed": "the gates of that, each channel's averaged over all cells",
    "faithful": "trained to restore the convolution's output, |y' - z| / |z|",
}


def measure(
    probabilities: Sequence[float],
    inputs: str = "smooth",
    *,
    size: tuple[int, int] = (16, 32),
    channels: int = 64,
    filters: int = 32,
    repeats: int = 3,
    draws: int = 8,
    steps: int = 200,
    seed: int = 0,
    verbose: bool = False,
) -> tuple[Errors, ...]:
    """Output errors of a 3x3 convolution and of modules before it.

    Source: Ch. 5 §3.1, Fig. 4, which names neither sizes nor the distribution
    of its tensor nor the unit of its error.

    Each repeat draws a convolution and a context aggregation module, trains
    two copies of the module (the convolution stays), and then feeds `draws`
    tensors to all of them. A pixel is dropped with all its channels, and the
    pixels that a lower probability drops are among those of a higher one.

    Args:
      probabilities: of dropping a pixel, 0 to 1, without 1.
      inputs: key of INPUTS.
      size: H, W of the tensors.
      channels: C of the tensors; 64 as behind the network's first layer.
      filters: outputs of the convolution.
      repeats: convolutions and modules.
      draws: tensors of each repeat.
      steps: of training, at probabilities from 0 to the highest.
      seed: of everything.
      verbose: whether to show progress.

    Returns:
      One for each of MODULES in their order; D = repeats * draws.

    Raises:
      ValueError: unknown inputs, no repeats or draws, or a probability below
        0 or from 1 on.
    """
    probabilities = np.asarray(probabilities, np.float64)
    if inputs not in INPUTS:
        raise ValueError(
            f"inputs must be one of {', '.join(INPUTS)}; got {inputs!r}"
        )
    if not probabilities.size or not np.all(
        (probabilities >= 0) & (probabilities < 1)
    ):
        raise ValueError(
            f"probabilities must lie in 0..1, without 1; got {probabilities}"
        )
    if repeats < 1 or draws < 1:
        raise ValueError(
            f"repeats and draws must be at least 1; got {repeats}, {draws}"
        )
    parts: dict[str, list[Errors]] = {name: [] for name in MODULES}
    for repeat in tqdm.trange(repeats, desc=inputs, disable=not verbose):
        random = np.random.default_rng([seed, repeat])
        weights_seed = int(random.integers(2**31))
        convolve = _convolution(channels, filters, weights_seed)
        pool, x = (
            INPUTS[inputs](random, (count, *size, channels))
            for count in (_POOL, draws)
        )
        chances = random.random((draws, *size, 1))
        masks = [chances >= p for p in probabilities]
        modules = {"none": tf.identity}
        modules["random"] = _module(channels, weights_seed + 1)
        for goal in ("steady", "faithful"):
            module = modules[goal] = _module(channels, weights_seed + 1)
            highest = probabilities.max()
            _train(goal, module, convolve, pool, highest, steps, random)
        modules["fixed"] = _fixed(modules["steady"], pool)
        for name, found in parts.items():
            found.append(_errors(name, modules[name], convolve, x, masks))
    return tuple(_joined(found) for found in parts.values())


def table(probabilities: Sequence[float], errors: Sequence[Errors]) -> str:
    """Mean and standard deviation over the draws, a column for each module."""
    lines = []
    for title, field in (
        ("|y' - y| / |y|", "relative"),
        ("|y' - y| / |z|", "unscaled"),
    ):
        heads = "".join(f"{row.module:>16}" for row in errors)
        lines.append(f"{title:16}{heads}")
        for place, probability in enumerate(probabilities):
            draws = [getattr(row, field)[place] for row in errors]
            cells = "".join(f"{x.mean():8.3f} ± {x.std():.3f}" for x in draws)
            lines.append(f"{f'p = {probability:g}':16}{cells}")
    shares = "".join(f"{row.open_share:16.0%}" for row in errors)
    return "\n".join([*lines, f"{'open channels':16}{shares}"])


def _convolution(channels: int, filters: int, seed: int) -> Filter:
    """3x3 without bias, initialised as the network's."""
    shape = (3, 3, channels, filters)
    kernel = keras.initializers.HeNormal(seed)(shape)
    return lambda x: tf.nn.conv2d(x, kernel, 1, "SAME")


def _module(channels: int, seed: int) -> keras.Model:
    """Context aggregation as the network's, with weights from the seed."""
    x = keras.Input((None, None, channels))
    settings = fire.Convolutions(weight_decay=0.0)
    y = models.context_aggregation(x, name="context", settings=settings)
    module = keras.Model(x, y)
    for layer in module.layers:
        if isinstance(layer, keras.layers.Conv2D):
            start = keras.initializers.GlorotUniform(seed)  # Keras's default
            layer.kernel.assign(start(layer.kernel.shape))
            seed += 1
    return module


def _train(
    goal: str,
    module: keras.Model,
    convolve: Filter,
    pool: np.ndarray,
    highest: float,
    steps: int,
    random: np.random.Generator,
) -> None:
    """Lessens the mean square of the goal's error."""
    optimizer = keras.optimizers.Adam(_LEARNING_RATE)

    @tf.function
    def step(x: tf.Tensor, mask: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            wanted = convolve(x if goal == "faithful" else module(x))
            change = _squares(convolve(module(x * mask)) - wanted)
            loss = tf.reduce_mean(change / _squares(wanted))
        optimizer.minimize(loss, module.trainable_weights, tape=tape)

    for _ in range(steps):
        x = pool[random.integers(len(pool), size=_BATCH)]
        probability = random.uniform(0, highest, (_BATCH, 1, 1, 1))
        kept = random.random((*x.shape[:3], 1)) >= probability
        step(tf.constant(x), tf.constant(kept, tf.float32))


def _fixed(module: keras.Model, pool: np.ndarray) -> Filter:
    """Scales channels by the mean of a module's gates."""
    gates = keras.Model(
        module.input, module.get_layer("context_excitation").output
    )
    scale = tf.reduce_mean(gates(pool), axis=[0, 1, 2])  # [C]
    return lambda x: x * scale


def _errors(
    name: str,
    module: Filter,
    convolve: Filter,
    x: np.ndarray,
    masks: Sequence[np.ndarray],
) -> Errors:
    """Of one convolution, one draw for each of the tensors."""
    passed = module(x)
    y = convolve(passed)
    changes = np.sqrt(
        [
            _squares(convolve(module(tf.where(mask, x, 0.0))) - y)
            for mask in masks
        ]
    )  # [P, draws]
    counted = x != 0  # else there is nothing to let through
    is_open = np.abs(passed)[counted] >= 0.5 * np.abs(x)[counted]
    own, plain = (np.sqrt(_squares(output)) for output in (y, convolve(x)))
    return Errors(name, changes / own, changes / plain, float(is_open.mean()))


def _joined(parts: Sequence[Errors]) -> Errors:
    """All repeats' draws."""
    return Errors(
        parts[0].module,
        np.concatenate([part.relative for part in parts], axis=1),
        np.concatenate([part.unscaled for part in parts], axis=1),
        float(np.mean([part.open_share for part in parts])),
    )


def _squares(x: tf.Tensor) -> tf.Tensor:
    """Sum of squares of each of a batch, [B]."""
    return tf.reduce_sum(x**2, axis=[1, 2, 3])
