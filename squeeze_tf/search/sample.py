"""From the distribution of a search to architectures, Ch. 7 §3.4."""

import hashlib

import numpy as np

from squeeze_tf.search import space as space_lib

Architecture = tuple[str, ...]
_TRIES = 100  # draws for each architecture wanted


def most_probable(
    space: space_lib.Space, probabilities: np.ndarray
) -> Architecture:
    """The likeliest candidate of each layer.

    Args:
      space: what was searched.
      probabilities: P, [L, K] float; what is beyond a layer's candidates is 0.
    """
    return tuple(
        kinds[int(np.argmax(row[: len(kinds)]))]
        for kinds, row in zip(space.candidates, probabilities)
    )


def draw(
    space: space_lib.Space, probabilities: np.ndarray, count: int, seed: int
) -> list[Architecture]:
    """Different architectures a ~ P, in the order of the draws.

    Ours: at most 100 draws for each; a distribution that is almost certain of
    its layers gives fewer.

    Args:
      space: what was searched.
      probabilities: P, [L, K] float.
      count: how many.
      seed: of the draws.
    """
    random = np.random.default_rng(seed)
    found: dict[Architecture, None] = {}
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        found[_drawn(space, probabilities, random)] = None
    return list(found)


def uniform(space: space_lib.Space) -> np.ndarray:
    """P that prefers no candidate, [L, K] float64."""
    counts = np.array([len(kinds) for kinds in space.candidates])
    exists = np.arange(counts.max()) < counts[:, np.newaxis]
    return exists / counts[:, np.newaxis]


def digest(architecture: Architecture) -> str:
    """Eight letters that name an architecture."""
    text = " ".join(architecture)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _drawn(
    space: space_lib.Space,
    probabilities: np.ndarray,
    random: np.random.Generator,
) -> Architecture:
    chosen = []
    for kinds, row in zip(space.candidates, probabilities):
        p = np.asarray(row[: len(kinds)], np.float64)
        chosen.append(kinds[int(random.choice(len(kinds), p=p / p.sum()))])
    return tuple(chosen)
