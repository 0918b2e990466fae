"""The conformance suite: what a backend must pass to be one (docs/writing-a-backend.md).

A test module of a backend's project runs all of it::

    import pytest
    from kvlayer.testing import Store
    from kvlayer.testing.suite import *

    @pytest.fixture(scope="session")
    def kvlayer_store():
        return Store({"storage_type": "mine"}, backend="my_package.backend:MyBackend")

The suite knows no store by name. It asks `capabilities` only: an operation that is declared must work
as docs/semantics.md says, one that is not declared must raise `NotSupported`.
"""

from kvlayer.testing.store import Store

__all__ = ["Store"]
