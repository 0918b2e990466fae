"""How all plots look: which store has which colour, what stands below, and how they become files.

Colours are those of Okabe and Ito, which colour-blind people can tell apart, and no store is known by its
colour alone. Files come out the same, byte for byte, each time they are made from the same results by the
same version of matplotlib.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final, Literal, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FixedFormatter, FixedLocator, LogLocator, NullLocator

from kvlayer.bench.results import Run

_STORES: Final = {
    "local": ("#000000", "s"),
    "sqlite": ("#56B4E9", "D"),
    "redis": ("#D55E00", "o"),
    "postgres": ("#0072B2", "^"),
    "accumulo": ("#009E73", "v"),
    "riak": ("#CC79A7", "P"),
}
"""Storage type → colour and marker, so that a store looks alike in all plots."""

_OTHERS: Final = (("#E69F00", "X"), ("#7F7F7F", "*"), *_STORES.values())
"""For other stores, and for further runs of the same one."""

LineStyle: TypeAlias = Literal["-", "--", ":", "-."] | tuple[float, Sequence[float]]
LINES: Final[tuple[LineStyle, ...]] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
"""For what differs within a store; each is a line of its own."""

_SETTINGS: Final[dict[Any, Any]] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.dpi": 110,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 9,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched
    "svg.hashsalt": "kvlayer",
    "text.parse_math": False,  # names of stores and machines are no formulas
}

_SAVED: Final[dict[str, dict[str, Any]]] = {
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}},
    "svg": {"metadata": {"Creator": None, "Date": None}},
}
"""How files of each kind are written: without what would be other tomorrow."""

_LETTERS_PER_INCH: Final = 12
_HANDLE_LETTERS: Final = 7
"""As wide as this many letters is the line before a label, with the space around."""

_MANY_DECADES: Final = 300
"""How many times its beginning the end of a logarithmic axis is, to need labels at powers of ten alone."""

_PERCENTILES: Final = {1: "0", 10: "90", 100: "99", 1000: "99.9", 10**4: "99.99", 10**5: "99.999"}
"""1 / (1 - share) → percent."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A run, and how it is told from the others in the same plot."""

    run: Run
    label: str
    colour: str
    marker: str


def labelled(runs: Sequence[Run]) -> list[Labelled]:
    """Runs under the name of their store, and of their time where a store has several."""
    several = Counter(run.storage_type for run in runs)
    taken: set[str] = set()
    found = []
    for run in runs:
        label = run.storage_type
        if several[label] > 1:
            label += f", {run.when:%Y-%m-%d %H:%M:%S}"
        own = [_STORES[run.storage_type]] if run.storage_type in _STORES else []
        looks = [look for look in (*own, *_OTHERS) if look[0] not in taken]
        colour, marker = (looks or _OTHERS)[0]
        taken.add(colour)
        found.append(Labelled(run, label, colour, marker))
    return found


def panels(titles: Sequence[str], heading: str, columns: int) -> tuple[Figure, Iterator[Axes]]:
    """A figure with one plot for each title, and those plots."""
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    figure = Figure(figsize=(max(7.0, 4.0 * columns), 1.2 + 2.7 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    axes = [plot for row in grid for plot in row]
    for plot in axes[len(titles) :]:
        plot.remove()
    for title, plot in zip(titles, axes, strict=False):
        plot.set_title(title, loc="left")
        plot.tick_params(labelbottom=True)
    figure.suptitle(heading, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure, iter(axes)


def set_logarithmic(axis: XAxis | YAxis, unit: str = "") -> None:
    """Makes the axis of a drawn plot logarithmic, with as many labels as can be read."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = axis.get_view_interval()
    steps = (1.0,) if high / low > _MANY_DECADES else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(EngFormatter(unit=unit, sep=" " if unit else ""))


def set_percentiles(plot: Axes) -> None:
    """Makes the x axis of a drawn plot, where 1 / (1 - share) was drawn, one of percentiles."""
    set_logarithmic(plot.xaxis)
    plot.set_xlim(left=1)
    plot.xaxis.set_major_locator(FixedLocator(list(_PERCENTILES)))
    plot.xaxis.set_major_formatter(FixedFormatter(list(_PERCENTILES.values())))


def add_legend(
    figure: Figure, handles: Sequence[Line2D], runs: Sequence[Labelled], note: str | None = None
) -> None:
    """Says below the plots where the figures come from, and what is what."""
    origin = _origin([shown.run for shown in runs])
    letters = mean(len(str(handle.get_label())) + _HANDLE_LETTERS for handle in handles)
    legend = figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=min(len(handles), max(1, int(figure.get_figwidth() * _LETTERS_PER_INCH / letters))),
        title=origin if note is None else f"{origin}  ·  {note}",
        title_fontsize="small",
        alignment="left",
    )
    legend.get_title().set_color("#555555")


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Writes a figure as PNG and SVG; the files. Raises OSError."""
    paths = [folder / f"{name}.{kind}" for kind in _SAVED]
    for path in paths:
        figure.savefig(path, **_SAVED[path.suffix[1:]])
        figure.set_layout_engine("none")  # it has its layout now, which takes longest
    return paths


def style() -> Any:
    """A context in which figures are made and saved."""
    return mpl.rc_context(_SETTINGS)


def _origin(runs: Sequence[Run]) -> str:
    """Where the figures come from: machine and versions, as far as all runs have the same."""
    hosts = {
        f"{run.environment.host.cores} × {run.environment.host.processor or run.environment.host.system}"
        for run in runs
    }
    versions = {f"kvlayer {run.environment.kvlayer}, {run.environment.python}" for run in runs}
    days = sorted({f"{run.when:%Y-%m-%d}" for run in runs})
    return "  ·  ".join(
        [
            hosts.pop() if len(hosts) == 1 else "several machines",
            versions.pop() if len(versions) == 1 else "several versions",
            " to ".join(dict.fromkeys((days[0], days[-1]))),
        ]
    )
