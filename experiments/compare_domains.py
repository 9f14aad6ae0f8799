"""How two sets of scans differ, and which stage should help (Ch. 5 §4).

    python -m experiments.compare_domains --workdir=DIR \
        --a_dataset=simulated --a_data=DIR/training --a_label_map=kitti \
        --b_dataset=kitti_object --b_data=DIR/training

Set a is what a network is trained with, b what it is for. No labels are read
unless a label map is given. Prints the report and writes report.txt, gap.json
and gap.png; takes about 0.1 s for a scan of 64 x 512.
"""

import io
import json
import pathlib
from collections.abc import Sequence

import numpy as np
import tqdm
from absl import flags
from matplotlib import figure

from squeeze_tf import command_line, whole_file
from squeeze_tf.adaptation import domain_gap
from squeeze_tf.adaptation import inputs as adaptation_inputs
from squeeze_tf.data import label_maps
from squeeze_tf.segmentation import inputs as segmentation_inputs
from squeeze_tf.segmentation import pictures

_DATASETS = sorted(adaptation_inputs.DATASETS)
_A_DATASET = flags.DEFINE_enum("a_dataset", "simulated", _DATASETS, "Layout.")
_A_DATA = flags.DEFINE_string(
    "a_data", None, "Folders, .txt lists.", required=True
)
_A_LABEL_MAP = flags.DEFINE_string("a_label_map", "", "Empty: no labels.")
_B_DATASET = flags.DEFINE_enum("b_dataset", "kitti_raw", _DATASETS, "Layout.")
_B_DATA = flags.DEFINE_string(
    "b_data", None, "Folders, .txt lists.", required=True
)
_B_LABEL_MAP = flags.DEFINE_string("b_label_map", "", "Empty: no labels.")
_PROJECTION = flags.DEFINE_string(
    "projection", "hdl64e_front", "Preset or .json; grids do not need it."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Gets files.", required=True)
_CURVES = ("range", "intensity", "height", "incidence")
_TITLES = (
    *("range, m", "intensity", "height, m", "cosine of incidence"),
    "share of classes but 0",
    *("cells without return by row", "holes in surfaces by row"),
    *("median range by row, m", "median intensity by row"),
    "sensor: height, m / pitch, degrees",
)
_DRAWN = 1e-4  # histograms end where shares are below this


def main(_: list[str]) -> None:
    """Describes both sets, compares and writes."""
    maps = {_A_LABEL_MAP.value, _B_LABEL_MAP.value} - {""}
    names = {label_maps.load(name).names for name in maps}
    if len(names) > 1:
        raise ValueError(
            f"both label maps must give the same classes; got {names}"
        )
    class_names = next(iter(names), ())
    found = {
        "a": _read("a", _A_DATASET.value, _A_DATA.value, _A_LABEL_MAP.value),
        "b": _read("b", _B_DATASET.value, _B_DATA.value, _B_LABEL_MAP.value),
    }
    sets = {name: description for name, (description, _) in found.items()}
    gaps = domain_gap.compare(sets["a"], sets["b"])
    report = f"a: {_A_DATA.value}\nb: {_B_DATA.value}\n" + format_report(
        sets, gaps, class_names
    )
    print(report, end="")
    folder = pathlib.Path(_WORKDIR.value)
    folder.mkdir(parents=True, exist_ok=True)
    whole_file.write(folder / "report.txt", report)
    whole_file.write(folder / "gap.json", json.dumps(_content(sets, gaps)))
    examples = {name: grid for name, (_, grid) in found.items()}
    draw(folder / "gap.png", sets, examples, class_names)
    print(f"\nreport.txt, gap.json and gap.png lie in {folder.resolve()}")


def format_report(
    sets: dict[str, domain_gap.Description],
    gaps: Sequence[domain_gap.Gap],
    class_names: Sequence[str],
) -> str:
    """Gaps, mounts, classes and advice."""
    lines = ["", f"{'':16}{'a':>10}{'b':>10}{'gap':>8}{'within':>8}"]
    lines += [
        f"{gap.name:16}{gap.a:10.3f}{gap.b:10.3f}{gap.distance:8.3f}"
        f"{gap.within:8.3f}  {domain_gap.QUANTITIES[gap.name].unit}"
        for gap in gaps
    ]
    lines += ["", "scans with a ground, height and pitch of the sensor over it"]
    for name, x in sets.items():
        mounts = np.stack([x.sensor_height, x.sensor_pitch], axis=-1)
        known = mounts[~np.isnan(mounts[:, 0])]
        text = f"{name}: {len(known)} of {len(mounts)}"
        if len(known):
            mean, deviation = known.mean(axis=0), known.std(axis=0)
            text += (
                f", {mean[0]:.3f} ± {deviation[0]:.3f} m, "
                f"{mean[1]:+.2f} ± {deviation[1]:.2f} degrees"
            )
        lines.append(text)
    for name, x in sets.items():
        if x.is_labelled:
            lines += ["", f"{name}: share of the returns, cells in a scan"]
            cells = x.counts["classes"][:, 0].mean(axis=0)
            rows = zip(class_names, x.shares("classes")[0], cells)
            lines += [
                f"{row[0]:16}{row[1]:10.3%}{row[2]:10.1f}" for row in rows
            ]
    return "\n".join([*lines, "", *domain_gap.advice(gaps), ""])


def draw(
    path: pathlib.Path,
    sets: dict[str, domain_gap.Description],
    examples: dict[str, np.ndarray],
    class_names: Sequence[str],
) -> None:
    """Histograms side by side, classes, rows, mounts and a scan of each."""
    drawing = figure.Figure((16, 11), layout="constrained")
    upper, lower = drawing.subfigures(2, 1, height_ratios=(3, 2))
    panels = upper.subplots(2, 5)
    for panel, name in zip(panels[0], _CURVES):
        edges = domain_gap.QUANTITIES[name].edges
        used = []
        for label, x in sets.items():
            shares = x.shares(name)[0]
            panel.stairs(shares / np.diff(edges), edges, label=label)
            used += [edges[:-1][shares > _DRAWN], edges[1:][shares > _DRAWN]]
        used = np.concatenate([*used, [0]])
        panel.set(xlim=(used.min(), used.max()), yticks=[])
    panels[0, 0].legend()
    classes = np.arange(1, len(class_names))
    panels[0, 4].set_xticks(classes + 0.2, class_names[1:], rotation=30)
    for place, x in enumerate(sets.values()):
        if x.is_labelled:
            shares = np.zeros(len(class_names))
            found = x.shares("classes")[0]
            shares[: len(found)] = found
            panels[0, 4].bar(classes + 0.4 * place, shares[1:], 0.4)
        curves = [x.shares(name)[:, 1] for name in ("missing", "holes")]
        curves += [x.range_by_row, x.intensity_by_row]
        for panel, values in zip(panels[1], curves):
            panel.plot(values, np.arange(len(values)))
        panels[1, 4].plot(x.sensor_height, x.sensor_pitch, ".")
    for panel in panels[1, :4]:
        panel.set(xlim=(0, None), ylim=(len(x.range_by_row) - 0.5, -0.5))
    for panel, title in zip(panels.flat, _TITLES):
        panel.set_title(title, fontsize=10)
        panel.grid(alpha=0.3)
    for panel, (label, grid) in zip(lower.subplots(2, 1), examples.items()):
        panel.imshow(pictures.depth(grid), aspect="auto")
        panel.set(xticks=[], yticks=[], ylabel=label)
    content = io.BytesIO()
    drawing.savefig(content, format="png", dpi=90)
    whole_file.write(path, content.getvalue())


def _read(
    name: str, dataset: str, folder: str, label_map: str
) -> tuple[domain_gap.Description, np.ndarray]:
    """Description and first grid of a set."""
    projection = _PROJECTION.value
    if label_map:
        samples = segmentation_inputs.samples(
            *(dataset, folder),
            label_map=label_maps.load(label_map),
            projection=projection,
        )
    else:
        samples = adaptation_inputs.unlabelled(
            *(dataset, folder), segmentation_inputs.find_projection(projection)
        )
    scans = tqdm.tqdm(
        samples.as_numpy_iterator(), name, int(samples.cardinality())
    )
    description = domain_gap.describe(scans)
    first = next(samples.take(1).as_numpy_iterator())
    return description, first["grid"]


def _content(
    sets: dict[str, domain_gap.Description], gaps: Sequence[domain_gap.Gap]
) -> dict[str, object]:
    """Of gap.json; null where a number is not known."""

    def known(x: np.ndarray) -> list:
        return np.where(np.isnan(x), None, x).tolist()

    return {
        "gaps": [vars(gap) for gap in gaps],
        "advice": domain_gap.advice(gaps),
        "sets": {
            name: {
                "scans": len(x.sensor_height),
                "counts": {
                    key: counts.sum(axis=0).tolist()
                    for key, counts in x.counts.items()
                },
                "sensor_height": known(x.sensor_height),
                "sensor_pitch": known(x.sensor_pitch),
                "median_range_by_row": known(x.range_by_row),
                "median_intensity_by_row": known(x.intensity_by_row),
            }
            for name, x in sets.items()
        },
        "edges": {
            name: quantity.edges.tolist()
            for name, quantity in domain_gap.QUANTITIES.items()
            if quantity.edges is not None
        },
    }


if __name__ == "__main__":
    command_line.run(main)
