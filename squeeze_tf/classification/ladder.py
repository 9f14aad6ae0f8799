"""Networks of equal size to compare: the designs of Ch. 6 Figs. 4 and 5."""

import csv
import dataclasses
import io
import math
from collections.abc import Sequence

import numpy as np

from squeeze_tf.classification import shift_resnet

# Kind to the network's name in the thesis, its key of models.MODELS, and the
# rule of its reduction.
KINDS = {
    "shift": ("ShiftResNet", "shift_resnet", None),
    "module": ("ResNet (module)", "resnet", "module"),
    "net": ("ResNet (net)", "resnet", "net"),
    "depthwise": ("DWResNet", "dw_resnet", None),
}
_LARGEST = 40  # times the channels of the unreduced network


@dataclasses.dataclass(frozen=True)
class Design:
    """One network of the comparison.

    Attributes:
      kind: key of KINDS.
      depth: 6 n + 2.
      expansion: E of the ShiftResNet that it has about as many parameters as.
      reduction: r that makes it so; 1 for "shift", which has E itself.
    """

    kind: str
    depth: int
    expansion: float
    reduction: float = 1.0

    @property
    def line(self) -> str:
        """Name of the curve that it lies on."""
        return KINDS[self.kind][0].replace("Net", f"Net{self.depth}", 1)

    @property
    def label(self) -> str:
        """Name for files."""
        return f"{self.kind}{self.depth}_{self.expansion:g}"

    def changes(self) -> dict[str, object]:
        """The fields of a config that make this network."""
        _, model, rule = KINDS[self.kind]
        fields = {"model": model, "depth": self.depth}
        if self.kind == "shift":
            return fields | {"expansion": self.expansion}
        fields["reduction"] = self.reduction
        return fields | ({"rule": rule} if rule else {})


@dataclasses.dataclass(frozen=True)
class Summary:
    """What the runs of a design gave.

    Attributes:
      design: of the runs.
      parameters: trained ones.
      macs: of one image.
      accuracies: top-1, one for each seed.
    """

    design: Design
    parameters: int
    macs: int
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the accuracies."""
        return float(np.mean(self.accuracies))

    @property
    def deviation(self) -> float:
        """Standard deviation over the seeds; NaN of fewer than two."""
        if len(self.accuracies) < 2:
            return float("nan")
        return float(np.std(self.accuracies, ddof=1))


def designs(
    kinds: Sequence[str],
    depths: Sequence[int],
    expansions: Sequence[float],
    *,
    channels: int,
    num_classes: int,
) -> list[Design]:
    """All networks of some kinds, in groups of about equal parameters.

    Args:
      kinds: of KINDS.
      depths: 6 n + 2 each.
      expansions: E of the ShiftResNet in each group.
      channels: of the images.
      num_classes: how many.

    Raises:
      ValueError: an unknown kind, a depth that is not 6 n + 2, or an E that
        leaves no channel.
    """
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds must be of {sorted(KINDS)}; got {list(kinds)}")
    if not expansions or min(expansions) * shift_resnet.WIDTHS[0] < 1:
        raise ValueError(
            f"expansions must leave a channel; got {list(expansions)}"
        )
    found = []
    for depth in depths:
        for expansion in expansions:
            target = parameters(
                Design("shift", depth, expansion), channels, num_classes
            )
            found += [
                matching(
                    Design(kind, depth, expansion),
                    target,
                    channels,
                    num_classes,
                )
                for kind in kinds
            ]
    return found


def matching(
    design: Design, target: int, channels: int, num_classes: int
) -> Design:
    """The design with the r whose parameters come nearest to a number."""
    if design.kind == "shift":
        return design
    # Channels of the last group, and so all others, change at these r alone.
    last = shift_resnet.WIDTHS[-1]
    power = 2 if design.kind == "net" else 1
    reductions = [
        round((last / (count + 0.5)) ** power, 4)
        for count in range(last // shift_resnet.WIDTHS[0], _LARGEST * last)
    ]
    candidates = [dataclasses.replace(design, reduction=r) for r in reductions]
    return min(
        candidates,
        key=lambda x: abs(parameters(x, channels, num_classes) - target),
    )


def parameters(design: Design, channels: int, num_classes: int) -> int:
    """Trained parameters of a network, without building it.

    Kernels, two numbers for each normalised channel, and the last layer.
    """
    rule = "net" if design.kind == "net" else "module"
    widths, share = shift_resnet.reduced(design.reduction, rule)
    before = widths[0]
    total = 9 * channels * before + 2 * before
    for width in widths:
        for _ in range(shift_resnet.modules_per_group(design.depth)):
            total += _of_module(design, before, width, share)
            if before != width:
                total += before * width + 2 * width  # the shortcut
            before = width
    return total + before * num_classes + num_classes


def table(summaries: Sequence[Summary]) -> str:
    """The results as text, one line for each network."""
    lines = [
        f"{'network':24}{'E':>5}{'parameters':>12}{'MACs':>13}"
        f"{'top-1 %':>9}{'± std':>7}  runs"
    ]
    for row in summaries:
        deviation = 100 * row.deviation
        spread = "-" if math.isnan(deviation) else f"{deviation:.2f}"
        lines.append(
            f"{row.design.line:24}{row.design.expansion:5g}"
            f"{row.parameters:12,}{row.macs:13,}{100 * row.mean:9.2f}"
            f"{spread:>7}  {len(row.accuracies)}"
        )
    return "\n".join(lines)


def to_csv(summaries: Sequence[Summary]) -> str:
    """The results, one row for each network."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("network", "kind", "depth", "expansion", "reduction"),
            *("parameters", "macs", "top1", "deviation", "runs"),
        ]
    )
    for row in summaries:
        design = row.design
        deviation = "" if math.isnan(row.deviation) else row.deviation
        writer.writerow(
            [
                *(design.line, design.kind, design.depth, design.expansion),
                *(design.reduction, row.parameters, row.macs, row.mean),
                *(deviation, " ".join(map(str, row.accuracies))),
            ]
        )
    return text.getvalue()


def _of_module(design: Design, before: int, width: int, share: float) -> int:
    """Parameters of a module without its shortcut."""
    if design.kind == "shift":
        middle = int(design.expansion * width)
        kernels = before * middle + middle * width
        return kernels + 2 * (middle + width)
    middle = int(width / share)
    if design.kind == "depthwise":
        kernels = before * middle + 9 * middle + middle * width
        return kernels + 2 * (2 * middle + width)
    return 9 * (before * middle + middle * width) + 2 * (middle + width)
