"""What can go wrong between a client and a Riak node."""

from __future__ import annotations

from typing import Final

_CLOSES: Final = "Error processing incoming message:"

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


class Refused(RiakError):
    """The node answered with an error; the message is its text, `code` its number."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code
        not_yet = any(word in text for word in _NOT_YET)
        self.may_pass = not_yet or any(word in text for word in _UNFINISHED)
        self.undone = not self.may_pass or not_yet

    @property
    def closes(self) -> bool:
        """Whether the node closes the connection after this answer."""
        return str(self).startswith(_CLOSES)
