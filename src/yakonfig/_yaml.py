"""Reading configuration files: safe YAML with includes, and writing YAML to show.

Only YAML's own types are read, so a file can't run code or make objects. What YAML allows but no
one can mean in a configuration is an error too: a key given twice, a value that contains itself,
a few lines of aliases that stand for billions of values.

No message holds a part of the file other than keys and names of files: it might be a secret. For
the same reason errors of PyYAML, which quote the file, are not kept as causes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import yaml

from yakonfig._errors import ConfigurationError

MAX_FILE_BYTES = 16 * 2**20
MAX_VALUES = 1_000_000
"""Most values that a file may stand for, aliases counted as often as they are used."""

_MERGE_TAG = "tag:yaml.org,2002:merge"
_BOOL_TAG = "tag:yaml.org,2002:bool"
_QUOTED = re.compile(r""" ?'(?P<single>[^']*)'| ?"(?P<double>[^"]*)\"""")
_SYNTAX = re.compile(r"<.*>|.|\\.{1,9}")
"""What may be shown of what PyYAML quotes: the names of its tokens, and single characters."""


@dataclass(frozen=True)
class _Source:
    """Where a YAML text comes from: its name in messages, and the files that led to it."""

    name: str
    path: Path | None = None
    including: tuple[Path, ...] = ()

    def fail(self, mark: yaml.Mark | None, problem: str) -> NoReturn:
        place = "" if mark is None else f" line {mark.line + 1}, column {mark.column + 1}:"
        raise ConfigurationError(f"{self.name}:{place} {problem}") from None

    def include(self, name: str) -> _Source:
        """The source of a file that this one includes. Raises ConfigurationError if that can't be."""
        if self.path is None and not Path(name).is_absolute():
            raise ConfigurationError(f"can't include {name}: no file is there that this is relative to")
        path = Path(name) if self.path is None else self.path.parent / name
        including = self.including if self.path is None else (*self.including, self.path)
        if os.path.realpath(path) in map(os.path.realpath, including):
            chain = " → ".join(map(str, (*including, path)))
            raise ConfigurationError(f"files include each other: {chain}")
        return _Source(str(path), path, including)

    def read(self) -> bytes:
        """The bytes of the file. Raises ConfigurationError if it can't be read."""
        try:
            with open(self.name, "rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ConfigurationError(f"can't read {self.name}: {error.strerror}") from None
        except ValueError:
            raise ConfigurationError(f"can't read {self.name!r}: no file can have this name") from None
        if len(content) > MAX_FILE_BYTES:
            raise ConfigurationError(f"can't read {self.name}: it is larger than {MAX_FILE_BYTES} bytes")
        return content


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with includes and without surprises."""

    def __init__(self, text: str | bytes, source: _Source) -> None:
        self.source = source
        super().__init__(text)

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            self._check_nodes(node, {})
        return node

    def _check_nodes(self, node: yaml.Node, sizes: dict[yaml.Node, int | None]) -> int:
        """How many values a node stands for. `sizes` has those done, and None for those under way."""
        if node in sizes:
            size = sizes[node]
            if size is None:
                self.source.fail(node.start_mark, "this value contains itself")
            return size
        sizes[node] = None
        size = 1
        if isinstance(node, yaml.SequenceNode):
            size += sum(self._check_nodes(item, sizes) for item in node.value)
        elif isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            size += sum(self._check_nodes(item, sizes) for pair in node.value for item in pair)
        if size > MAX_VALUES:
            self.source.fail(node.start_mark, f"this stands for more than {MAX_VALUES} values")
        sizes[node] = size
        return size

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE_TAG:
                if (key.tag, key.value) in seen:
                    self.source.fail(key.start_mark, f"the key {key.value} is given twice")
                if key.tag == _BOOL_TAG:
                    self.source.fail(
                        key.start_mark, f"to YAML the key {key.value} is true or false; quote it"
                    )
                seen.add((key.tag, key.value))

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, ConfigurationError, RecursionError):
            raise
        except Exception:
            # PyYAML's constructors of numbers and dates raise whatever Python's do.
            kind = node.tag.rpartition(":")[2]
            self.source.fail(node.start_mark, f"a value that looks like {kind} to YAML but is none; quote it")

    def included(self, node: yaml.Node) -> tuple[_Source, bytes]:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            self.source.fail(node.start_mark, "an include needs the name of a file")
        try:
            source = self.source.include(node.value)
            return source, source.read()
        except ConfigurationError as error:
            self.source.fail(node.start_mark, str(error))
        except ValueError:
            self.source.fail(node.start_mark, "can't include this: no file can have this name")


def _include_text(loader: _Loader, node: yaml.Node) -> str:
    source, content = loader.included(node)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        loader.source.fail(node.start_mark, f"can't include {source.name}: it is not UTF-8 text")


def _include_yaml(loader: _Loader, node: yaml.Node) -> Any:
    source, content = loader.included(node)
    return _load(content, source)


def _refuse_tag(loader: _Loader, node: yaml.Node) -> NoReturn:
    loader.source.fail(node.start_mark, "unknown tag; beside YAML's own there are !include and !include_yaml")


_Loader.add_constructor("!include", _include_text)
_Loader.add_constructor("!include_yaml", _include_yaml)
_Loader.add_constructor(None, _refuse_tag)


def _describe(problem: str) -> str:
    """PyYAML's words without what they quote of the file."""

    def shown(match: re.Match[str]) -> str:
        quoted = match["single"] if match["single"] is not None else match["double"]
        return match[0] if _SYNTAX.fullmatch(quoted) else ""

    return _QUOTED.sub(shown, problem)


def _load(text: str | bytes, source: _Source) -> Any:
    try:
        loader = _Loader(text, source)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        source.fail(error.problem_mark, _describe(error.problem or "this is not YAML"))
    except yaml.YAMLError:
        source.fail(None, "this is not text that YAML allows: a wrong encoding or a control character")
    except RecursionError:
        source.fail(None, "values are nested too deeply")


def _load_blocks(text: str | bytes, source: _Source) -> dict[str, Any]:
    config = _load(text, source)
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        source.fail(None, f"the file must be a mapping of blocks, not a {type(config).__name__}")
    return dict(config)


_TEXT = _Source("YAML text")


def read_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The configuration in a file; an empty file is an empty one.

    Raises ConfigurationError, with line and column, for what can't be read or understood.
    """
    source = _Source(os.fspath(path), Path(path))
    return _load_blocks(source.read(), source)


def read_text(text: str | bytes) -> dict[str, Any]:
    """The configuration in a text; what it includes must be named by absolute paths."""
    return _load_blocks(text, _TEXT)


def read_stream(stream: IO[Any]) -> dict[str, Any]:
    """The configuration in an open file. Includes are relative to the file, if it has a name."""
    name = getattr(stream, "name", None)
    source = _TEXT
    if isinstance(name, str) and not name.startswith("<"):
        source = _Source(name, Path(name))
    try:
        content = stream.read()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"can't read {source.name}") from None
    return _load_blocks(content, source)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def print_yaml(config: Mapping[str, Any]) -> None:
    """Writes a redacted configuration to the standard output, as far as its encoding goes."""
    unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    text = yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=unicode)
    sys.stdout.write(text)
