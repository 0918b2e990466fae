"""The jars of Accumulo's Java client: pinned, fetched on first use, or found where the user has them."""

from __future__ import annotations

from collections.abc import Sequence

import jgo


def find(class_path: Sequence[str] | str | None = None) -> list[str]:
    """What the class path of the virtual machine consists of."""
    if class_path:
        return [class_path] if isinstance(class_path, str) else list(class_path)
    return [str(jar) for jar in jgo.build("org.apache.accumulo:accumulo-core:2.1.4").all_jars]
