"""The whole suite, for `from kvlayer.testing.suite import *` in a test module.

The module that imports it defines the fixture `kvlayer_store`; see kvlayer.testing.
"""

# The fixtures come first: they see to it that the assertions of the topics explain themselves.
from kvlayer.testing.fixtures import (
    _skip_by_capability,
    capabilities,
    common,
    common_space,
    kvl,
    space,
    workers,
)
from kvlayer.testing.topics.capabilities import TestCapabilities
from kvlayer.testing.topics.catalogue import TestCatalogue
from kvlayer.testing.topics.closing import TestClosing
from kvlayer.testing.topics.compare import TestCompareAndPut
from kvlayer.testing.topics.counters import TestCounters
from kvlayer.testing.topics.crash import TestCrash
from kvlayer.testing.topics.forking import TestFork
from kvlayer.testing.topics.machine import TestStateMachine
from kvlayer.testing.topics.memory import TestMemory, large_values
from kvlayer.testing.topics.namespaces import TestNamespaces
from kvlayer.testing.topics.order import TestOrder
from kvlayer.testing.topics.paging import TestPaging, paged
from kvlayer.testing.topics.pickling import TestPickling
from kvlayer.testing.topics.processes import TestProcesses
from kvlayer.testing.topics.ranges import TestRanges
from kvlayer.testing.topics.reads import TestGet
from kvlayer.testing.topics.sharing import TestSharing
from kvlayer.testing.topics.tables import TestTable
from kvlayer.testing.topics.values import TestValues
from kvlayer.testing.topics.writes import TestPut

__all__ = [
    "TestCapabilities",
    "TestCatalogue",
    "TestClosing",
    "TestCompareAndPut",
    "TestCounters",
    "TestCrash",
    "TestFork",
    "TestGet",
    "TestMemory",
    "TestNamespaces",
    "TestOrder",
    "TestPaging",
    "TestPickling",
    "TestProcesses",
    "TestPut",
    "TestRanges",
    "TestSharing",
    "TestStateMachine",
    "TestTable",
    "TestValues",
    "_skip_by_capability",
    "capabilities",
    "common",
    "common_space",
    "kvl",
    "large_values",
    "paged",
    "space",
    "workers",
]
