"""What a benchmark leaves behind: a `Run`, with all that has to be known to judge its figures, as JSON.

Times are seconds, sizes are bytes, and a rate in MB/s counts 1,000,000 bytes as one MB.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from kvlayer.bench.errors import BrokenResults

FORMAT: Final = "kvlayer-bench"
VERSION: Final = 1
"""Of the JSON. It grows whenever an older program would misunderstand a newer file."""

MB: Final = 1_000_000
"""Bytes in one MB of a rate."""

_LARGEST_FILE: Final = 64 * 2**20
"""Bytes; a hundred runs with their histograms stay far below."""

Kind: TypeAlias = Literal["throughput", "rows", "ycsb"]
Fact: TypeAlias = bool | int | float | str | None


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine that the workers ran on."""

    system: str
    """Operating system, its release and the kind of processor: `Linux 6.1.0 x86_64`."""
    processor: str
    """The processor's own name; empty where it can't be told."""
    cores: int
    """Processors that this program may use."""
    memory_bytes: int | None
    """None where it can't be told."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, on what. It never holds a part of the configuration that could be a secret."""

    kvlayer: str
    """The version."""
    python: str
    """Implementation and version: `CPython 3.11.7`."""
    key_codec: Literal["C", "Python"] = "Python"
    """What encodes keys: see `kvlayer.keys.ACCELERATED`."""
    driver: dict[str, str]
    """Distribution → version, of what speaks to the store."""
    store: dict[str, Fact]
    """What the store says of itself: `Client.ping`."""
    durability: dict[str, Fact]
    """The settings that decide what a power cut or a lost server may cost, as far as they are known."""
    host: Host


class ThroughputPoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="throughput"):
    """One number of workers: all put large values at the same time, then all read them back."""

    workers: int
    """Processes."""
    threads: int
    """Threads in each of them."""
    value_size: int
    batch_size: int
    """Values in one `put` and one `get`."""
    written: int
    """Values."""
    write_seconds: float
    """From the common beginning until the last worker had ended."""
    write_cpu_seconds: float
    """Of all clients together."""
    read: int
    """Values, each compared with what was written."""
    read_seconds: float
    read_cpu_seconds: float

    @property
    def write_rate(self) -> float:
        """MB/s written by all workers together."""
        return self.written * self.value_size / MB / self.write_seconds

    @property
    def read_rate(self) -> float:
        """MB/s read by all workers together."""
        return self.read * self.value_size / MB / self.read_seconds


class RowsPoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="rows"):
    """One operation at one batch size, by one thread of one process."""

    operation: Literal["put", "get", "scan", "scan_keys", "delete", "increment"]
    batch_size: int
    """Rows in one call."""
    value_size: int | None
    """None for an operation that no value takes part in."""
    rows: int
    size: int
    """Bytes of encoded keys and values that were moved."""
    seconds: float
    cpu_seconds: float
    """Of the client."""

    @property
    def rows_per_second(self) -> float:
        """Rows moved in a second."""
        return self.rows / self.seconds

    @property
    def rate(self) -> float:
        """MB/s."""
        return self.size / MB / self.seconds

    @property
    def cpu_per_row(self) -> float:
        """Microseconds of the client's CPU that a row took."""
        return self.cpu_seconds / self.rows * 1e6


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long the operations of one kind took, in microseconds."""

    operations: int
    mean: float
    p50: float
    p95: float
    p99: float
    p999: float
    max: float
    histogram: str
    """All of them: an HDR histogram in its compressed, base64 encoded form (V2), of nanoseconds."""


class YcsbPoint(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="ycsb"):
    """One phase of one workload."""

    workload: str
    """A to F."""
    phase: Literal["load", "run"]
    distribution: Literal["zipfian", "latest", "uniform"] | None
    """Of the records that operations choose; None for a load, which takes each once."""
    workers: int
    threads: int
    records: int
    value_size: int
    target: float | None
    """Operations a second that all workers together were to start; None: as fast as they could."""
    operations: int
    seconds: float
    """From the common beginning until the last worker had ended."""
    missing: int
    """Operations that found nothing where a record should have been."""
    overdue: int
    """Operations that the target wanted started by the end, and that the workers did not get round to."""
    latencies: dict[str, Latency]
    """`read`, `update`, `insert`, `scan`, `read_modify_write`: with a target, from the moment at which each
    operation was intended to start, so that one that had to wait for another counts its waiting; without
    one, from the moment at which it did start."""
    service: dict[str, Latency]
    """With a target, the same operations from the moment at which they did start; empty without one."""

    @property
    def rate(self) -> float:
        """Operations that ended in a second."""
        return self.operations / self.seconds


Point: TypeAlias = ThroughputPoint | RowsPoint | YcsbPoint

_POINTS: Final[dict[str, type[msgspec.Struct]]] = {
    "throughput": ThroughputPoint,
    "rows": RowsPoint,
    "ycsb": YcsbPoint,
}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a benchmark on one store."""

    kind: Kind
    storage_type: str
    when: datetime
    """The beginning, with its time zone."""
    parameters: dict[str, Any]
    """What the benchmark was asked for: numbers, texts and lists of them."""
    environment: Environment
    points: list[Point]

    def __post_init__(self) -> None:
        if any(type(point) is not _POINTS[self.kind] for point in self.points):
            raise ValueError(f"a run of kind {self.kind!r} has points of another kind")
        if self.when.tzinfo is None:
            raise ValueError("the time of a run needs its time zone")


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: Literal["kvlayer-bench"]
    version: int
    run: msgspec.Raw


def to_json(run: Run) -> bytes:
    """A run as the JSON of a result file."""
    content = {"format": FORMAT, "version": VERSION, "run": run}
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def from_json(content: bytes, name: str) -> Run:
    """The run in a result file's JSON. Raises BrokenResults, which names the file `name`."""
    try:
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BrokenResults(f"{name} is no result of kvlayer bench") from None
    if file.version != VERSION:
        raise BrokenResults(
            f"{name} was written by another version of kvlayer bench: its format is {file.version},"
            f" known here is {VERSION}"
        )
    try:
        return msgspec.json.decode(file.run, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenResults(f"{name} is a broken result of kvlayer bench: {error}") from None


def write_run(run: Run, path: Path) -> None:
    """Writes a result file, whole or not at all. Raises OSError."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(to_json(run))
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_run(path: Path) -> Run:
    """Reads a result file. Raises BrokenResults, and OSError where it can't be read."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise BrokenResults(f"{path} is too large for a result of kvlayer bench")
    return from_json(content, str(path))
