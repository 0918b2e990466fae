"""The errors of benchmarks."""

from __future__ import annotations

from kvlayer.errors import KvlayerError


class BenchError(KvlayerError):
    """A benchmark can't be run, or its result not be trusted."""


class WorkerFailed(BenchError):
    """A worker raised an error, ended early or didn't start in time; the run is void.

    `details` is the worker's traceback, or what it wrote on its standard error; may be empty.
    """

    details: str

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details

    def __reduce__(self) -> tuple[object, ...]:
        return WorkerFailed, (str(self), self.details)


class BrokenResults(BenchError):
    """A file does not hold the results of `kvlayer bench`."""
