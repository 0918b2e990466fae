"""Hiding secrets in what is shown to people: dumps, logs, messages.

Hiding too much is a nuisance, hiding too little a leak; where it is unclear, this hides.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
"""What stands in the place of a secret."""

_SECRET_PARTS = re.compile(
    "password|passwd|passphrase|passcode|secret|token(?!iz)|credential"
    "|apikey|privatekey|accesskey|signingkey|encryptionkey"
)
_SECRET_WORDS = frozenset({"pass", "pw", "pwd", "auth", "authorization", "cookie"})
_PLACE_WORDS = frozenset({"file", "path", "dir", "directory"})
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_URL_USER = re.compile(r":/+[^:@]*:")
# An address with a user and no scheme. The look-behind keeps the search linear.
_ADDRESS = re.compile(r"(?<!\S)(?P<user>[^\s:]*:)(?P<secret>\S*)(?=@)")
# A name and what sets it: in a query, a conninfo, YAML, JSON, a header, an INI file.
_ASSIGNMENT = re.compile(
    r"""(?P<query>[?&])?(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*)["']?\s*(?P<sign>[=:])\s*"""
)
_QUERY_VALUE = re.compile(r"[^\s&#]*")
# Quoted as in a conninfo of PostgreSQL or in TOML; else up to a space without a backslash.
_ASSIGNED_VALUE = re.compile(
    r"""(?:'''|\"{3}).*|'(?:\\.|[^'\\])*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)|(?:\\.|\S)*""", re.DOTALL
)
# A YAML value may go on for lines, and where it ends is more than a pattern can tell.
_COLON_VALUE = re.compile(r".*", re.DOTALL)


def redact(config: Any) -> Any:
    """A copy of a configuration, or of any part of it, that is fit to be shown.

    Hidden are values whose key looks like a secret's (``password``, ``api_key``, ``auth_token``
    …; not those of ``password_file``, which is a place), passwords of URLs, and secrets assigned
    inside of strings: ``password=…`` in a conninfo or a URL's query, ``password: …`` in an
    included text. What is merely a reference, ``${NAME}``, is shown. Objects that are no plain
    data are shown by the name of their type.

    >>> redact({"url": "redis://app:hunter2@db.example.com/0", "password": "hunter2", "port": 6379})
    {'url': 'redis://app:***@db.example.com/0', 'password': '***', 'port': 6379}
    """
    return _redact(config, secret=False)


def is_secret_key(key: object) -> bool:
    """Whether a key, by its name, holds a secret."""
    if not isinstance(key, str):
        return False
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or words[-1] in _PLACE_WORDS:
        return False
    return bool(_SECRET_PARTS.search("".join(words))) or not _SECRET_WORDS.isdisjoint(words)


def _redact(value: Any, secret: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            _redact(key, secret=False): _redact(item, secret or is_secret_key(key))
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_redact(item, secret) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if value is None or isinstance(value, bool):
        return value
    return _hide(value) if secret else _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        return _redact_text(os.fsdecode(value))
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return value if _redact_text(text) == text else HIDDEN
    for plain in (int, float):
        if isinstance(value, plain):
            return plain(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value
    return f"<{type(value).__name__}>"


def _hide(value: Any) -> str:
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value.strip()) else HIDDEN


def _redact_text(text: str) -> str:
    if "PRIVATE KEY-----" in text:
        return HIDDEN
    text = "".join(map(_hide_userinfo, text.splitlines(keepends=True)))
    pieces = []
    done = 0
    for assignment in _ASSIGNMENT.finditer(text):
        if assignment.start() >= done and is_secret_key(assignment["name"]):
            value = _value_pattern(assignment).match(text, assignment.end())
            if value is not None and value[0]:
                pieces += [text[done : value.start()], _hide(value[0])]
                done = value.end()
    return "".join([*pieces, text[done:]])


def _hide_userinfo(line: str) -> str:
    """Hides the passwords of URLs and addresses.

    All is hidden from the first one's beginning to the last @ of the line, since people forget to
    escape @, / and spaces in passwords.
    """
    before, at, host = line.rpartition("@")
    url = _URL_USER.search(before)
    if not at or url is None:
        return _ADDRESS.sub(_hide_address, line)
    return (
        _ADDRESS.sub(_hide_address, before[: url.start()]) + url[0] + _hide(before[url.end() :]) + at + host
    )


def _hide_address(match: re.Match[str]) -> str:
    return match["user"] + _hide(match["secret"])


def _value_pattern(assignment: re.Match[str]) -> re.Pattern[str]:
    if assignment["sign"] == ":":
        return _COLON_VALUE
    return _QUERY_VALUE if assignment["query"] else _ASSIGNED_VALUE
