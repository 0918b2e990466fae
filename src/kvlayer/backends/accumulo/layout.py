"""Where things lie in Accumulo: names of applications, namespaces and tables ↔ names of Accumulo.

| in kvlayer | in Accumulo |
|---|---|
| app name and namespace | the namespace `kvlayer_xAPP_xNAMESPACE` |
| a table | the table `NAME_xINCARNATION` in it |
| a namespace that is being dropped | the same with a word appended: `kvlayer_xAPP_xNAMESPACE_xID` |
| a row | row: the encoded key; column family, qualifier and visibility: empty |

Accumulo's names consist of ASCII letters, digits and the underscore. Letters and digits stand for
themselves, `__` for an underscore, `_` and two hexadecimal digits for each byte of any other character in
UTF-8; `_x` stands between names. So names can be read back, and no two are the same.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final
from uuid import uuid4

from kvlayer.backends.base import BackendTable
from kvlayer.errors import ConfigurationError

_LONGEST: Final = 1024
_SEPARATOR: Final = "_x"
_PREFIX: Final = "kvlayer"
_WORD: Final = r"((?:[A-Za-z0-9]|__|_[0-9a-f]{2})+)"
_NAMESPACE: Final = re.compile(f"{_PREFIX}{_SEPARATOR}{_WORD}{_SEPARATOR}{_WORD}", re.ASCII)
_READABLE_OF_LONG: Final = 64


class Layout:
    """The names for one app name and namespace."""

    def __init__(self, app_name: str, namespace: str) -> None:
        """Raises ConfigurationError for names that are too long together."""
        self.namespace = _SEPARATOR.join((_PREFIX, _encoded(app_name), _encoded(namespace)))
        """The Accumulo namespace."""
        room = _LONGEST - len(f"{_SEPARATOR}{uuid4().hex}")  # for its name while it is dropped
        if len(self.namespace) > room:
            raise ConfigurationError(
                f"accumulo: app name and namespace take {len(self.namespace)} characters as a name of"
                f" Accumulo, where there is room for {room}: a letter or digit takes one, an underscore two,"
                " any other character three or more"
            )
        self._table_names: dict[BackendTable, str] = {}

    def table_name(self, table: BackendTable) -> str:
        """The Accumulo table of a kvlayer table; another one for each incarnation."""
        name = self._table_names.get(table)
        if name is None:
            name = self._table_names[table] = f"{self.namespace}.{_own_name(table)}"
        return name

    def name_to_drop(self) -> str:
        """A name that no one looks for, for the namespace while it is dropped."""
        return f"{self.namespace}{_SEPARATOR}{uuid4().hex}"

    def is_being_dropped(self, namespace: str) -> bool:
        """Whether an Accumulo namespace is what an interrupted drop of this one has left."""
        return namespace.startswith(self.namespace + _SEPARATOR)


def namespace_pair(namespace: str) -> tuple[str, str] | None:
    """App name and namespace of an Accumulo namespace; None for one of someone else, or one being dropped."""
    found = _NAMESPACE.fullmatch(namespace)
    try:
        return None if found is None else (_decoded(found[1]), _decoded(found[2]))
    except UnicodeDecodeError:
        return None


def _own_name(table: BackendTable) -> str:
    suffix = f"{_SEPARATOR}{_encoded(table.incarnation)}" if table.incarnation else ""
    name = _encoded(table.name) + suffix
    if len(name) <= _LONGEST:
        return name
    # No one reads the names of tables back: the catalogue has them.
    digest = hashlib.sha256(table.name.encode()).hexdigest()
    readable = "".join(re.findall("[A-Za-z0-9]", table.name)[:_READABLE_OF_LONG])
    return _SEPARATOR.join((readable, "long", digest)) + suffix


def _encoded(name: str) -> str:
    def escape(found: re.Match[str]) -> str:
        return "__" if found[0] == "_" else "".join(f"_{byte:02x}" for byte in found[0].encode())

    return re.sub("[^A-Za-z0-9]", escape, name)


def _decoded(word: str) -> str:
    """The inverse of `_encoded`."""
    parts = re.findall(r"[A-Za-z0-9]|__|_[0-9a-f]{2}", word)
    return b"".join(
        part.encode() if len(part) == 1 else b"_" if part == "__" else bytes.fromhex(part[1:])
        for part in parts
    ).decode()
