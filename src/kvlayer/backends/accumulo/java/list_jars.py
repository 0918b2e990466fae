"""Prints the list of jars that Maven coordinates stand for, to be kept in the repository.

`python list_jars.py GROUP:ARTIFACT:VERSION ... > LIST`, to be run when a version changes. Each is resolved by
itself; of an artifact that is needed in several versions, the first is taken.
"""

from __future__ import annotations

import hashlib
import sys

import jgo


def main() -> None:
    """Resolves the coordinates with all that they depend on, and downloads it to take its measure."""
    listed: dict[tuple[str, str, str], str] = {}
    for coordinates in sys.argv[1:]:
        for artifact in jgo.resolve(coordinates):
            content = artifact.resolve().read_bytes()
            parts = [artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier]
            line = f"{':'.join(filter(None, parts))} {len(content)} {hashlib.sha256(content).hexdigest()}"
            listed.setdefault((artifact.groupId, artifact.artifactId, artifact.classifier), line)
    print("\n".join(listed.values()))  # noqa: T201


if __name__ == "__main__":
    main()
