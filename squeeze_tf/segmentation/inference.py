"""From a raw scan to a label for every point of it."""

import dataclasses
import time

import numpy as np
import tensorflow as tf

from squeeze_tf.data import point_clouds
from squeeze_tf.geometry import back_projection, laser_rings, spherical

keras = tf.keras

_MIN_RING_POINTS = 20  # Ours: a few returns of one object are no beam
# Degrees. Ours: the lasers of eight KITTI scans lie within 0.6 of hdl64e_*,
# those of a VLP-16 2.7 from hdl32e and 6.7 from hdl64e_*.
_MAX_BEAM_ERROR = 2.0


@dataclasses.dataclass(frozen=True)
class Segmented:
    """What segment() found.

    Attributes:
      class_ids: [N] int32 of the points; 0 outside the field of view.
      grid: [H, W, 5] float32 the network saw.
      grid_ids: [H, W] int32 class of each cell; 0 without a return.
      milliseconds: time of "projection", "network" and "back projection".
    """

    class_ids: np.ndarray
    grid: np.ndarray
    grid_ids: np.ndarray
    milliseconds: dict[str, float]


class Segmenter:
    """Holds a model ready to run on scans.

    Args:
      model: of squeeze_tf.segmentation.models.
      projection: as in training.
      ignored_ids: classes that training ignored and that are never given.
    """

    def __init__(
        self,
        model: keras.Model,
        projection: spherical.Projection,
        ignored_ids: tuple[int, ...] = (),
    ) -> None:
        shape = tuple(model.inputs[0].shape[1:3])
        if shape != (projection.rows, projection.columns):
            raise ValueError(
                f"the model takes grids of {shape}, the projection makes "
                f"{(projection.rows, projection.columns)}"
            )
        self._projection = projection
        allowed = np.zeros(model.output.shape[-1], np.float32)
        allowed[list(ignored_ids)] = -np.inf

        @tf.function(input_signature=[tf.TensorSpec((1, *shape, 5))])
        def predict(grid: tf.Tensor) -> tf.Tensor:
            scores = model(grid, training=False) + allowed
            ids = tf.argmax(scores, axis=-1, output_type=tf.int32)
            return tf.where(grid[..., 4] > 0, ids, 0)

        self._predict = predict
        predict(tf.zeros((1, *shape, 5)))  # traces, so that no scan waits

    def __call__(self, scan: point_clouds.Scan) -> Segmented:
        """Labels every point of a scan."""
        start = time.perf_counter()
        projected = project(scan, self._projection)
        at_network = time.perf_counter()
        grid_ids = self._predict(projected.grid[np.newaxis])[0].numpy()
        at_back = time.perf_counter()
        class_ids = back_projection.back_project(
            grid_ids, scan.points, projected
        )
        end = time.perf_counter()
        return Segmented(
            class_ids,
            projected.grid,
            grid_ids,
            {
                "projection": 1e3 * (at_network - start),
                "network": 1e3 * (at_back - at_network),
                "back projection": 1e3 * (end - at_back),
            },
        )


def project(
    scan: point_clouds.Scan, projection: spherical.Projection
) -> spherical.Projected:
    """Projects a scan by its rings, where they are known or can be found.

    KITTI's files lack the ring but list one laser after the other, from which
    it follows (geometry.laser_rings); by angle, neighbouring rows of the
    HDL-64E mix, since its lasers do not meet in one point. Rings that cannot
    be rows of the projection, being too many or of another sensor, are not
    used.
    """
    rings = scan.rings
    if rings is None:
        rings = laser_rings.from_scan_order(scan.points, projection.rows)
    if rings is not None and not _are_rows(rings, scan.points, projection):
        rings = None
    return spherical.project(scan.points, projection, rings)


def _are_rows(
    rings: np.ndarray, points: np.ndarray, projection: spherical.Projection
) -> bool:
    """Whether each ring lies where the projection has the row."""
    if rings.max(initial=0) >= projection.rows:
        return False
    is_return = points[:, :3].any(axis=1)
    if rings.shape != is_return.shape:
        return True  # of another shape, spherical.project() refuses them
    rings = rings[is_return]
    zenith, _ = spherical.zenith_azimuth(points[is_return])
    beams, most = projection.beam_degrees, _MAX_BEAM_ERROR
    if beams is None:  # rows of equal height, which lasers rarely are
        edges = spherical.row_edges(projection)
        beams, most = (edges[1:] + edges[:-1]) / 2, (edges[0] - edges[1]) / 2
    order = np.argsort(rings, kind="stable")
    found, starts = np.unique(rings[order], return_index=True)
    errors = [
        abs(np.median(degrees) - beams[ring])
        for ring, degrees in zip(
            found, np.split(np.degrees(zenith[order]), starts[1:])
        )
        if len(degrees) >= _MIN_RING_POINTS
    ]
    return not errors or bool(np.median(errors) <= most)
