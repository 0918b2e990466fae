"""The core workloads of YCSB, the Yahoo! Cloud Serving Benchmark, as they are here.

A to E are those of Cooper, Silberstein, Tam, Ramakrishnan and Sears, "Benchmarking Cloud Serving Systems
with YCSB" (SoCC 2010); F came with the program of the same name. A record there has 10 fields of 100 bytes.
Here it is one value of 1,000 bytes, which is read and written whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from kvlayer.bench.distributions import fnv

OperationName: TypeAlias = Literal["read", "update", "insert", "scan", "read_modify_write"]
DistributionName: TypeAlias = Literal["zipfian", "latest", "uniform"]

TABLE: Final = "usertable"
"""As YCSB calls it; its keys are one str."""

VALUE_SIZE: Final = 1000

LONGEST_SCAN: Final = 100
"""Rows; a scan is as likely to have any number from 1 to this."""


@dataclass(frozen=True)
class Workload:
    """A mix of operations."""

    name: str
    summary: str
    mix: dict[OperationName, int]
    """Percent of all operations."""
    distribution: DistributionName
    """Of the records that they choose."""

    @property
    def inserts(self) -> bool:
        """Whether there are more records behind it than before."""
        return "insert" in self.mix


WORKLOADS: Final = {
    workload.name: workload
    for workload in [
        Workload("A", "update heavy", {"read": 50, "update": 50}, "zipfian"),
        Workload("B", "read mostly", {"read": 95, "update": 5}, "zipfian"),
        Workload("C", "read only", {"read": 100}, "zipfian"),
        Workload("F", "read, modify, write", {"read": 50, "read_modify_write": 50}, "zipfian"),
        Workload("D", "read latest", {"read": 95, "insert": 5}, "latest"),
        Workload("E", "short scans", {"scan": 95, "insert": 5}, "zipfian"),
    ]
}
"""By name, in the order in which YCSB's documentation wants them run on one set of records: those that insert
come last, and what follows one of them begins anew."""


def key_name(number: int) -> str:
    """The key of a record, by its number from 0.

    The number is hashed, as YCSB does by default, so that records are added all over the table and not at its
    end. The digits are padded, which YCSB leaves out, so that keys are ordered as their hashes are.
    """
    return f"user{fnv(number):019d}"
