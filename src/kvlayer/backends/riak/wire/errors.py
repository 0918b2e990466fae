"""What can go wrong between a client and a Riak node."""

from __future__ import annotations

from typing import Final

_CLOSES: Final = "Error processing incoming message:"

# The node has looked at the request and not begun with it.
_NOT_DONE: Final = (
    "no_type",
    "zero-length",
    "match_found",
    "modified",
    "notfound",
    "too_large",
    "n_val_violation",
    "indexes_not_supported",
)
# A node that is starting, or a cluster that has lost too many: nothing was done.
_NOT_YET: Final = ("all_nodes_down", "insufficient_vnodes")
# The cluster was too slow or too small at this moment: a write may have reached some of its replicas.
_UNFINISHED: Final = ("timeout", "overload", "val_unsatisfied", "mailbox")


class RiakError(Exception):
    """The base of the errors of this client.

    `may_pass` says whether the same request may succeed a moment later, `undone` that it had surely
    no effect.
    """

    may_pass: bool
    undone: bool


class Disconnected(RiakError):
    """A connection could not be made, broke, or gave no answer in time."""

    may_pass = True

    def __init__(self, reason: str, *, undone: bool = False) -> None:
        super().__init__(reason)
        self.undone = undone


class ClientClosed(RiakError):
    """A request to a client that was closed."""

    may_pass = False
    undone = True


class Refused(RiakError):
    """The node answered with an error; the message is its text, `code` its number."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.may_pass = any(word in text for word in (*_NOT_YET, *_UNFINISHED))
        self.undone = self.closes or any(word in text for word in (*_NOT_YET, *_NOT_DONE))

    @property
    def closes(self) -> bool:
        """Whether the node closes the connection after this answer."""
        return str(self).startswith(_CLOSES)
