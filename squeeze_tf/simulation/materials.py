"""Classes and surface materials of the simulated street."""

import dataclasses

import numpy as np

# SemanticKITTI raw ids (semantic-kitti-api, config/semantic-kitti.yaml). Ours:
# a van has one continuous body and counts as a car.
CLASS_IDS = {
    "unlabeled": 0,
    "car": 10,
    "van": 10,
    "person": 30,
    "bicyclist": 31,
    "road": 40,
    "sidewalk": 48,
    "building": 50,
    "wall": 51,
    "vegetation": 70,
    "trunk": 71,
    "terrain": 72,
    "pole": 80,
}


@dataclasses.dataclass(frozen=True)
class Material:
    """Looks of a surface to laser and camera.

    Attributes:
      class_name: the class of a face of this material, or "" where the actor
        it belongs to decides.
      colour: RGB, 0-255.
      reflectivity: share of the laser's light sent back at normal incidence.
        Ours: near the mean remission of the class in SemanticKITTI scans
        (road 0.19, sidewalk 0.30, terrain 0.35, vegetation 0.33, building
        0.22, person 0.36), divided by the mean cosine for upright surfaces.
      gloss: exponent on the cosine of incidence; 1 is a matt surface, glass
        sends almost nothing back unless seen from straight ahead (Ours).
      transparency: share of rays that pass into the dark behind. Ours: car
        windows are holes in KITTI scans but for single returns.
    """

    class_name: str
    colour: tuple[int, int, int]
    reflectivity: float
    gloss: float = 1.0
    transparency: float = 0.0


MATERIALS = {
    "hidden": Material("unlabeled", (0, 0, 0), 0.0),
    "asphalt": Material("road", (92, 92, 95), 0.25),
    "concrete": Material("sidewalk", (158, 152, 145), 0.35),
    "grass": Material("terrain", (96, 122, 58), 0.45),
    "plaster": Material("building", (190, 176, 150), 0.35),
    "brick": Material("building", (150, 88, 70), 0.30),
    "roof": Material("building", (112, 62, 52), 0.25),
    "window": Material("building", (52, 66, 84), 0.25, 4.0, 0.5),
    "stone": Material("wall", (150, 146, 138), 0.35),
    "wood": Material("wall", (128, 98, 66), 0.40),
    "rail": Material("wall", (165, 168, 172), 0.50, 2.0),
    "post": Material("pole", (120, 124, 128), 0.40),
    "sign": Material("pole", (215, 215, 220), 1.00),
    "bark": Material("trunk", (88, 70, 54), 0.45),
    "leaf": Material("vegetation", (66, 104, 44), 0.50),
    "paint": Material("", (160, 160, 165), 0.50, 3.0),
    "glass": Material("", (38, 46, 56), 0.25, 4.0, 0.92),
    "rubber": Material("", (28, 28, 30), 0.08),
    "trim": Material("", (42, 42, 46), 0.12),
    "rim": Material("", (150, 152, 156), 0.40, 2.0),
    "headlamp": Material("", (232, 232, 220), 0.60, 2.0),
    "tail_lamp": Material("", (170, 30, 28), 0.80),
    "plate": Material("", (240, 240, 225), 1.00),
    "cloth": Material("", (70, 80, 110), 0.50),
    "trousers": Material("", (52, 54, 66), 0.40),
    "skin": Material("", (205, 160, 132), 0.50),
    "hair": Material("", (60, 44, 34), 0.30),
}
NAMES = tuple(MATERIALS)
INDEX = {name: index for index, name in enumerate(NAMES)}

# Materials that take the colour of the object they belong to.
TINTED = ("paint", "cloth", "plaster", "brick")

# Tables over material indices.
CLASS_OF = np.array(
    [CLASS_IDS.get(m.class_name, 0) for m in MATERIALS.values()], np.uint8
)
COLOURS = np.array([m.colour for m in MATERIALS.values()], np.uint8)
REFLECTIVITY = np.array(
    [m.reflectivity for m in MATERIALS.values()], np.float32
)
TRANSPARENCY = np.array(
    [m.transparency for m in MATERIALS.values()], np.float32
)
IS_TINTED = np.array([name in TINTED for name in NAMES])
GLOSS = np.array([m.gloss for m in MATERIALS.values()], np.float32)
