"""Settings of the simulator."""

import dataclasses

_POSITIVE = (
    "sensor_height",
    "sensor_max_range",
    "frames_per_sequence",
    "frame_rate",
    "num_lanes",
    "lane_width",
    "view_distance",
    "image_scale",
)


@dataclasses.dataclass(frozen=True)
class SimulationConfig:
    """One kind of drive. Lengths in metres, speeds in metres per second.

    Attributes:
      sensor: a key of `sensors.LIDARS`, or the .json of an own sensor or its
        projection, as tools.inspect_scan writes them.
      sensor_height: above the ground; None: the sensor's own.
      sensor_pitch_degrees: of the mount, positive nose up; None likewise.
      sensor_max_range: longer returns are dropped; None likewise.
      untwisted: whether points are moved to where the sensor looks ahead, as
        those of KITTI's odometry scans are, and so SemanticKITTI's.
      frames_per_sequence: frames that show the same scene in motion, at
        `frame_rate`; 1 draws a new scene for each frame.
      frame_rate: frames per second; a turn of the HDL-64E takes 0.1 s.
      num_lanes: in each direction.
      lane_width: of each lane.
      parking_width: of the parking strip on either side, 0 for none.
      cycle_width: of the strip for cyclists on either side, 0 for none.
      sidewalk_width: 0 for none.
      max_curvature: largest 1 / radius of the road, per metre.
      max_slope: largest rise along the road.
      crossing_share: share of scenes with a crossing street.
      ego_speed: speed of the sensor.
      traffic_speed: of the cars in motion, lanes differ by up to 30 %.
      view_distance: actors and surroundings stand up to here ahead, and up
        to `rear_distance` behind.
      rear_distance: see above.
      num_traffic: vehicles in the lanes.
      num_parked: vehicles in the parking strips.
      van_share: share of vans among vehicles.
      num_pedestrians: people on foot.
      num_cyclists: people on bicycles.
      building_share: share of 12 m lots with a house on them.
      num_trees: street trees.
      num_poles: lamp posts and traffic signs.
      num_greens: bushes and hedges.
      wall_share: share of lots with a wall, fence or hedge along them.
      guard_rails: whether rails run along the road.
      jitter_degrees: standard deviation of a ray's angles.
      range_sigma: standard deviation of the measured range; the HDL-64E
        manual gives an accuracy below 0.02.
      intensity_sigma: standard deviation of the intensity. Ours: as between
        neighbours on the ground in unlabelled KITTI scans (.03 to .07).
      dropout: share of returns lost at random. Ours: near the share of
        isolated holes in projected KITTI scans.
      detection: whether weak returns are lost (see `raycast.detected`).
      hood: whether the own car's bonnet hides the lowest rays.
      min_points: objects with fewer points get no label line.
      image_scale: size of the image relative to the camera preset.

    Raises:
      ValueError: a share outside 0..1, or a number that is too small.
    """

    sensor: str = "hdl64e_front"
    sensor_height: float | None = None
    sensor_pitch_degrees: float | None = None
    sensor_max_range: float | None = None
    untwisted: bool = False
    frames_per_sequence: int = 1
    frame_rate: float = 10.0
    num_lanes: int = 1
    lane_width: float = 3.25
    parking_width: float = 2.1
    cycle_width: float = 1.4
    sidewalk_width: float = 2.8
    max_curvature: float = 0.006
    max_slope: float = 0.02
    crossing_share: float = 0.4
    ego_speed: float = 8.0
    traffic_speed: float = 9.0
    view_distance: float = 90.0
    rear_distance: float = 50.0
    num_traffic: int = 8
    num_parked: int = 14
    van_share: float = 0.12
    num_pedestrians: int = 12
    num_cyclists: int = 6
    building_share: float = 0.55
    num_trees: int = 22
    num_poles: int = 12
    num_greens: int = 14
    wall_share: float = 0.5
    guard_rails: bool = False
    jitter_degrees: float = 0.02
    range_sigma: float = 0.02
    intensity_sigma: float = 0.05
    dropout: float = 0.03
    detection: bool = True
    hood: bool = True
    min_points: int = 5
    image_scale: float = 1.0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, (str, bool, type(None))):
                continue
            fits, needed = value >= 0, "0 or more"
            if name in _POSITIVE:
                fits, needed = value > 0, "above 0"
            elif name.endswith("_share") or name == "dropout":
                fits, needed = 0 <= value <= 1, "in 0..1"
            elif name == "sensor_pitch_degrees":
                fits, needed = abs(value) < 90, "in -90..90"
            if not fits:
                raise ValueError(f"{name} must be {needed}; got {value}")


_STREET = SimulationConfig()
# Ours: the mean pitch that eight unlabelled KITTI scans show against the road.
_KITTI_STREET = dataclasses.replace(_STREET, sensor_pitch_degrees=-0.8)
CONFIGS = {
    # The front 90 degrees that SqueezeSeg reads (Ch. 3 §3.1).
    "street_front": _STREET,
    "street": dataclasses.replace(_STREET, sensor="hdl64e"),
    # GTA-LiDAR style sequences at 10 Hz.
    "street_sequence": dataclasses.replace(_STREET, frames_per_sequence=40),
    "highway": dataclasses.replace(
        _STREET,
        num_lanes=3,
        lane_width=3.6,
        parking_width=0.0,
        cycle_width=0.0,
        sidewalk_width=0.0,
        max_curvature=0.0015,
        crossing_share=0.0,
        ego_speed=25.0,
        traffic_speed=28.0,
        num_traffic=26,
        num_parked=0,
        van_share=0.25,
        num_pedestrians=0,
        num_cyclists=0,
        building_share=0.1,
        num_poles=6,
        wall_share=0.3,
        guard_rails=True,
    ),
    # Ours, to be mixed. Unlabelled KITTI scans show a sensor that looks down,
    # more beside the road and nearer, fewer on it; open and wide roads came
    # from what networks got wrong on labelled ones (experiments/RESULTS.md).
    "kitti_residential": dataclasses.replace(
        _KITTI_STREET,
        num_traffic=4,
        num_parked=16,
        num_pedestrians=5,
        num_cyclists=3,
        building_share=0.8,
        num_trees=36,
        num_greens=44,
        wall_share=0.7,
        num_poles=14,
        cycle_width=1.0,
    ),
    "kitti_city": dataclasses.replace(
        _KITTI_STREET,
        num_traffic=7,
        num_parked=8,
        num_pedestrians=12,
        num_cyclists=6,
        building_share=0.95,
        num_trees=16,
        num_greens=10,
        num_poles=22,
    ),
    "kitti_road": dataclasses.replace(
        _KITTI_STREET,
        parking_width=0.0,
        cycle_width=1.0,
        sidewalk_width=0.0,
        num_traffic=6,
        num_parked=0,
        num_pedestrians=1,
        num_cyclists=2,
        building_share=0.2,
        num_trees=60,
        num_greens=70,
        wall_share=0.35,
        num_poles=8,
        ego_speed=14.0,
        traffic_speed=15.0,
    ),
    "kitti_open": dataclasses.replace(
        _KITTI_STREET,
        parking_width=0.0,
        cycle_width=1.0,
        num_traffic=7,
        num_parked=0,
        num_pedestrians=2,
        num_cyclists=2,
        building_share=0.05,
        num_trees=10,
        num_greens=14,
        wall_share=0.1,
        num_poles=12,
        ego_speed=12.0,
        traffic_speed=13.0,
    ),
    "kitti_wide": dataclasses.replace(
        _KITTI_STREET,
        num_lanes=2,
        cycle_width=1.0,
        num_traffic=7,
        num_parked=12,
        num_pedestrians=4,
        num_cyclists=3,
        building_share=0.35,
        num_trees=20,
        num_greens=16,
        wall_share=0.3,
        num_poles=14,
    ),
    # Small and quick, for tests.
    "tiny": dataclasses.replace(
        _STREET,
        sensor="tiny",
        view_distance=40.0,
        rear_distance=5.0,
        num_traffic=3,
        num_parked=4,
        num_pedestrians=3,
        num_cyclists=2,
        num_trees=2,
        num_poles=2,
        num_greens=2,
        building_share=0.3,
        image_scale=0.2,
    ),
}
