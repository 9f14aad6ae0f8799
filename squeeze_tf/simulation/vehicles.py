"""Cars and vans: lofted bodies with cabin, windows, wheel arches, wheels."""

import dataclasses
import functools

import numpy as np

from squeeze_tf.simulation import materials, shapes


@dataclasses.dataclass(frozen=True)
class Style:
    """Side view of a body.

    Attributes:
      size: length, width without mirrors, height in metres, of a car that
        is typical of the style (maker's data sheet); variants differ by up to
        `_SPREAD`.
      profile: top line from nose to tail as (share of the length, share of
        the height).
      axles: positions of the axles, share of the length from the nose.
      belt: lower edge of the windows, share of the height.
      last_window: share of the length where side windows end.
      taper: by what share of the width the roof is narrower than the belt.
    """

    size: tuple[float, float, float]
    profile: tuple[tuple[float, float], ...]
    axles: tuple[float, float]
    belt: float
    last_window: float
    taper: float = 0.17


_SPREAD = 0.06
NUM_VARIANTS = 6  # Per style; more would only fill memory.
_WHEEL_RADIUS = 0.31  # A 195/65 R15 tyre measures 0.635 m across.
_CLEARANCE = 0.17

STYLES = {
    "sedan": Style(  # VW Passat B7: 4.77 x 1.82 x 1.47
        (4.65, 1.80, 1.46),
        ((0, 0.42), (0.03, 0.52), (0.27, 0.65), (0.44, 0.96), (0.56, 1.0),
         (0.70, 0.97), (0.86, 0.70), (0.97, 0.66), (1, 0.55)),
        (0.19, 0.77), 0.63, 0.80,
    ),
    "hatchback": Style(  # VW Polo V: 3.97 x 1.68 x 1.46
        (3.90, 1.66, 1.47),
        ((0, 0.42), (0.03, 0.54), (0.25, 0.66), (0.43, 0.96), (0.56, 1.0),
         (0.86, 0.95), (0.965, 0.64), (0.99, 0.58), (1, 0.45)),
        (0.19, 0.81), 0.63, 0.88,
    ),
    "suv": Style(  # VW Tiguan I: 4.43 x 1.81 x 1.70
        (4.45, 1.81, 1.69),
        ((0, 0.44), (0.03, 0.56), (0.24, 0.65), (0.39, 0.96), (0.52, 1.0),
         (0.88, 0.96), (0.975, 0.66), (0.99, 0.60), (1, 0.45)),
        (0.19, 0.79), 0.63, 0.90,
    ),
    "estate": Style(  # VW Passat Variant B7: 4.77 x 1.82 x 1.52
        (4.70, 1.80, 1.51),
        ((0, 0.42), (0.03, 0.52), (0.26, 0.64), (0.42, 0.96), (0.55, 1.0),
         (0.90, 0.94), (0.975, 0.66), (0.99, 0.58), (1, 0.45)),
        (0.19, 0.77), 0.62, 0.91,
    ),
    "pickup": Style(  # VW Amarok: 5.25 x 1.94 x 1.83; kept below 5.3 m
        (4.98, 1.88, 1.80),
        ((0, 0.46), (0.02, 0.58), (0.23, 0.65), (0.35, 0.96), (0.43, 1.0),
         (0.56, 0.98), (0.60, 0.64), (0.61, 0.40), (0.975, 0.40),
         (0.98, 0.64), (1, 0.63)),
        (0.18, 0.79), 0.64, 0.56,
    ),
    "van": Style(  # VW Transporter T5: 4.89 x 1.90 x 1.97
        (4.95, 1.92, 2.00),
        ((0, 0.36), (0.02, 0.44), (0.12, 0.54), (0.25, 0.92), (0.33, 1.0),
         (0.95, 0.99), (0.985, 0.56), (1, 0.40)),
        (0.19, 0.80), 0.55, 0.36,
    ),
    "high_van": Style(  # Mercedes-Benz Sprinter: 5.93 x 1.99 x 2.73
        (5.70, 1.98, 2.60),
        ((0, 0.32), (0.02, 0.40), (0.13, 0.48), (0.23, 0.80), (0.33, 1.0),
         (0.96, 1.0), (0.99, 0.50), (1, 0.35)),
        (0.17, 0.80), 0.46, 0.28,
    ),
    "off_roader": Style(  # Jeep Wrangler JK: 4.22 x 1.87 x 1.84; Mercedes-Benz
        (4.45, 1.81, 1.84),  # G (W463): 4.66 x 1.76 x 1.95
        ((0, 0.46), (0.015, 0.60), (0.30, 0.64), (0.37, 0.97), (0.42, 1.0),
         (0.97, 0.98), (0.985, 0.60), (0.995, 0.55), (1, 0.42)),
        (0.16, 0.78), 0.60, 0.94, 0.05,
    ),
    "mpv": Style(  # VW Touran I: 4.41 x 1.79 x 1.64; Caddy III: 1.83 high
        (4.42, 1.80, 1.73),
        ((0, 0.42), (0.03, 0.52), (0.18, 0.61), (0.37, 0.95), (0.50, 1.0),
         (0.90, 0.97), (0.98, 0.62), (0.99, 0.57), (1, 0.42)),
        (0.20, 0.81), 0.60, 0.92, 0.12,
    ),
}  # fmt: skip
VAN_STYLES = ("van", "high_van")
CAR_STYLES = tuple(name for name in STYLES if name not in VAN_STYLES)


@functools.cache
def vehicle(style_name: str, variant: int, coarse: bool = False) -> shapes.Mesh:
    """The mesh of one variant of a style, nose towards +x.

    Args:
      style_name: a key of `STYLES`.
      variant: proportions to draw; the same number gives the same mesh.
      coarse: fewer triangles, for cars far away.

    Returns:
      A mesh centred in top view that stands on z = 0; its bounds are the
      vehicle's length, width and height.

    Raises:
      ValueError: `style_name` is not a style.
    """
    if style_name not in STYLES:
        raise ValueError(f"style must be of {list(STYLES)}; got {style_name!r}")
    style = STYLES[style_name]
    rng = np.random.default_rng([variant, list(STYLES).index(style_name)])
    size = np.array(style.size) * rng.uniform(1 - _SPREAD, 1 + _SPREAD, 3)
    length, width, height = size
    radius = _WHEEL_RADIUS * (1 + 0.3 * (height / 1.5 - 1))
    parts = [_body(style, size, radius, coarse)]
    for axle in style.axles:
        for side in (-1, 1):
            centre = (
                length * (0.5 - axle),
                side * (width / 2 - 0.125),
                radius,
            )
            sides = 7 if coarse else 11
            parts.append(shapes.wheel(centre, radius, 0.21, sides))
    parts += _fittings(style, size)
    if not coarse:
        parts += _seats(style, size)
    return shapes.fitted(shapes.merge(parts), size)


def _body(
    style: Style, size: np.ndarray, radius: float, coarse: bool
) -> shapes.Mesh:
    """The shell: rings of 12 points from nose to tail."""
    length, width, height = size
    profile = np.array(style.profile)
    stations = _stations(style, length, radius, coarse)
    top = np.interp(stations, *profile.T) * height
    belt = np.minimum(style.belt * height, top - 0.04)
    bed = (top < 0.55 * height) & (stations > 0.5)  # A pickup's load bed.
    if style.size[2] < 1.79:
        bed[:] = False
    belt[bed & (stations < 0.98)] = style.belt * height
    cabin = np.clip((top - belt) / (height * (1 - style.belt)), 0, 1)
    half = (
        width
        / 2
        * np.interp(
            stations,
            (0, 0.03, 0.12, 0.85, 0.97, 1),
            (0.78, 0.9, 1, 1, 0.94, 0.86),
        )
    )
    half_top = half * np.where(bed, 0.92, 0.93 - style.taper * cabin)
    low = _lower_edge(style, stations, length, radius)
    middle = np.maximum(0.62 * style.belt * height, low + 0.03)
    middle = np.minimum(middle, np.maximum(belt, low + 0.05) - 0.01)
    floor = np.full_like(top, _CLEARANCE)
    y = np.stack(
        [0.70 * half, 0.97 * half, half, 0.985 * half, half_top,
         0.55 * half_top], 1
    )  # fmt: skip
    z = np.stack([floor, low, middle, belt, top - 0.035, top], 1)
    y = np.concatenate([y, -y[:, ::-1]], 1)
    z = np.concatenate([z, z[:, ::-1]], 1)
    x = np.broadcast_to((length * (0.5 - stations))[:, None], y.shape)
    sections = np.stack([x, y, z], -1)
    return shapes.loft(sections, _panels(style, stations, top, belt, height))


def _stations(
    style: Style, length: float, radius: float, coarse: bool
) -> np.ndarray:
    """Where the body is cut: profile corners, wheel arches, pillars."""
    arch = (radius + 0.05) / length
    cuts = [x for x, _ in style.profile]
    around = (-1.01, -0.99, -0.6, 0, 0.6, 0.99, 1.01)
    for axle in style.axles:
        cuts += [axle + arch * d for d in (around[::2] if coarse else around)]
    cuts += [style.last_window, 0.56 * style.last_window + 0.16]
    cuts += [0.56 * style.last_window + 0.18]
    return np.unique(np.clip(np.round(cuts, 4), 0, 1))


def _lower_edge(
    style: Style, stations: np.ndarray, length: float, radius: float
) -> np.ndarray:
    """Height of the sill, raised to a circle over each wheel, metres."""
    low = np.full(len(stations), _CLEARANCE + 0.05)
    for axle in style.axles:
        square = (radius + 0.05) ** 2 - (length * (stations - axle)) ** 2
        arch = radius + np.sqrt(np.maximum(square, 0))
        low = np.where(square > 0, np.maximum(low, arch), low)
    return low


def _panels(
    style: Style,
    stations: np.ndarray,
    top: np.ndarray,
    belt: np.ndarray,
    height: float,
) -> np.ndarray:
    """Material of each panel, [S + 1, 12], as `shapes.loft` wants it."""
    index = materials.INDEX
    panels = np.full((len(stations) + 1, 12), index["paint"], np.uint8)
    panels[:, [0, 10, 11]] = index["trim"]  # The underside.
    middle = (stations[1:] + stations[:-1]) / 2
    raised = np.minimum(top[1:], top[:-1]) > belt[:-1] + 0.12 * height
    raised |= np.maximum(top[1:], top[:-1]) > 0.9 * height
    slope = np.abs(np.diff(top)) / (np.diff(stations) * style.size[0])
    pillar = np.diff(stations) < 0.025
    side = raised & ~pillar & (middle < style.last_window)
    panels[1:-1][np.ix_(side, [3, 7])] = index["glass"]
    hood_end = style.profile[2][0]
    sloped = raised & (slope > 0.3) & (middle > hood_end)
    sloped |= (slope > 0.3) & (np.maximum(top[1:], top[:-1]) > 0.8 * height)
    panels[1:-1][np.ix_(sloped, [4, 5, 6])] = index["glass"]
    panels[1][[2, 8]] = index["headlamp"]
    panels[-2][[2, 8]] = index["tail_lamp"]
    panels[[0, -1]] = index["paint"]
    return panels


def _seats(style: Style, size: np.ndarray) -> list[shapes.Mesh]:
    """Two rows, or one of few windows, that rays through those meet."""
    length, width, height = size
    low, high = 0.3 * height, style.belt * height + 0.15
    rows = [x for x in (0.50, 0.68) if x < style.last_window] or [0.30]
    return [
        shapes.box(
            (0.15, 0.78 * width, high - low),
            (length * (0.5 - x), 0, (low + high) / 2),
            "trim",
        )
        for x in rows
    ]


def _fittings(style: Style, size: np.ndarray) -> list[shapes.Mesh]:
    """Mirrors in the room that inclined windows leave, plates, grille."""
    length, width, height = size
    x = length * (0.5 - style.profile[3][0] + 0.06)
    parts = [
        shapes.box(
            (0.10, 0.12, 0.12),
            (x, side * (width / 2 - 0.06), (style.belt + 0.07) * height),
            "paint",
        )
        for side in (-1, 1)
    ]
    front = (length / 2, 0, 0.36)
    parts.append(shapes.box((0.02, 0.6 * width, 0.22), front, "trim"))
    for x in (length / 2 + 0.01, -length / 2):
        parts.append(shapes.box((0.03, 0.50, 0.11), (x, 0, 0.42), "plate"))
    return parts
