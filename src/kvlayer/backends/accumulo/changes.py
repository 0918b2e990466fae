"""A change to a row on a condition, as Accumulo's conditional writers make them."""

from __future__ import annotations

from typing import Any, Final

ANYTHING: Final = object()
"""Stands for whatever a row holds, where a value is expected."""

REJECTED: Final = "REJECTED"
"""The status of a conditional write that did not find what it expected."""

Change = tuple[bytes, Any, bytes | None]
"""A key, the value expected (None: no row) or ANYTHING, and the new value (None: remove the row)."""
