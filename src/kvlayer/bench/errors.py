"""The errors of benchmarks."""

from __future__ import annotations

from kvlayer.errors import KvlayerError


class BenchError(KvlayerError):
    """A benchmark can't be run, or its result not be trusted."""


class WorkerFailed(BenchError):
    """A worker raised an error, ended early or didn't start in time; the run is void.

    A note (`__notes__`) holds the worker's traceback, or the end of what it wrote on its standard error.
    """


class BrokenResults(BenchError):
    """A file does not hold the results of `kvlayer bench`."""
