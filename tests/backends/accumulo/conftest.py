"""A namespace of the shared cluster for one test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from accumulo_tables import opened
from kvlayer.backends.accumulo import AccumuloBackend, jvm
from servers.accumulo import shared_server


@pytest.fixture
def app_name() -> Iterator[str]:
    name = f"kvlayer-test-{uuid.uuid4().hex[:12]}"
    yield name
    with opened(name) as backend:
        backend.drop_namespace()


@pytest.fixture
def backend(app_name: str) -> Iterator[AccumuloBackend]:
    with opened(app_name) as backend:
        yield backend


@pytest.fixture
def administrator(backend: AccumuloBackend) -> Iterator[Any]:
    """The driver's own client."""
    del backend  # has started Java
    builder = jvm.java_class("org.apache.accumulo.core.client.Accumulo").newClient()
    client = builder.from_(str(shared_server().properties_file)).build()
    with closing(client):
        yield client
