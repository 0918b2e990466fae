"""The messages of Riak's Protocol Buffers interface that kvlayer needs, and their codes.

The classes are made by the `protobuf` library from the descriptions below, when this module is
imported: no code is generated beforehand. Names and numbers are those of Riak's own `riak.proto`,
`riak_kv.proto` and `riak_dt.proto`; fields that are of no use here are left out, and skipped in answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from kvlayer.backends.riak.wire.errors import Disconnected

HEADER: Final = Struct(">IB")
"""Of a frame: how many bytes follow the length, and the code of the message, which is the first of them."""

ERROR_CODE: Final = 0
"""The code of the answer that is an error."""

ONE: Final = 4294967294
"""Symbolic quorums: one replica, ..."""
QUORUM: Final = 4294967293
"""... most of them, ..."""
ALL: Final = 4294967292
"""... all of them, ..."""
DEFAULT: Final = 4294967291
"""... or what the bucket says."""

# message → field → number and type; [type] is repeated, a name in capitals another message.
_DESCRIPTIONS: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "ErrorResp": {"errmsg": (1, "bytes"), "errcode": (2, "uint32")},
    "GetServerInfoResp": {"node": (1, "bytes"), "server_version": (2, "bytes")},
    "Content": {
        "value": (1, "bytes"),
        "content_type": (2, "bytes"),
        "vtag": (5, "bytes"),
        "last_mod": (7, "uint32"),
        "last_mod_usecs": (8, "uint32"),
        "deleted": (11, "bool"),
    },
    "GetReq": {
        "bucket": (1, "bytes"),
        "key": (2, "bytes"),
        "r": (3, "uint32"),
        "pr": (4, "uint32"),
        "notfound_ok": (6, "bool"),
        "head": (8, "bool"),
        "deletedvclock": (9, "bool"),
        "timeout": (10, "uint32"),
        "type": (13, "bytes"),
    },
    "GetResp": {"content": (1, "[Content]"), "vclock": (2, "bytes")},
    "PutReq": {
        "bucket": (1, "bytes"),
        "key": (2, "bytes"),
        "vclock": (3, "bytes"),
        "content": (4, "Content"),
        "w": (5, "uint32"),
        "dw": (6, "uint32"),
        "return_body": (7, "bool"),
        "pw": (8, "uint32"),
        "if_not_modified": (9, "bool"),
        "if_none_match": (10, "bool"),
        "timeout": (12, "uint32"),
        "type": (16, "bytes"),
    },
    "DelReq": {
        "bucket": (1, "bytes"),
        "key": (2, "bytes"),
        "vclock": (4, "bytes"),
        "r": (5, "uint32"),
        "w": (6, "uint32"),
        "pr": (7, "uint32"),
        "pw": (8, "uint32"),
        "dw": (9, "uint32"),
        "timeout": (10, "uint32"),
        "type": (13, "bytes"),
    },
    "BucketProps": {
        "n_val": (1, "uint32"),
        "allow_mult": (2, "bool"),
        "last_write_wins": (3, "bool"),
        "pr": (14, "uint32"),
        "r": (15, "uint32"),
        "w": (16, "uint32"),
        "pw": (17, "uint32"),
        "dw": (18, "uint32"),
        "datatype": (26, "bytes"),
    },
    "GetBucketReq": {"bucket": (1, "bytes"), "type": (2, "bytes")},
    "GetBucketResp": {"props": (1, "BucketProps")},
    "SetBucketReq": {"bucket": (1, "bytes"), "props": (2, "BucketProps"), "type": (3, "bytes")},
    "IndexReq": {
        "bucket": (1, "bytes"),
        "index": (2, "bytes"),
        "qtype": (3, "uint32"),
        "range_min": (5, "bytes"),
        "range_max": (6, "bytes"),
        "stream": (8, "bool"),
        "max_results": (9, "uint32"),
        "continuation": (10, "bytes"),
        "timeout": (11, "uint32"),
        "type": (12, "bytes"),
    },
    "IndexResp": {"keys": (1, "[bytes]"), "continuation": (3, "bytes"), "done": (4, "bool")},
    "CSBucketReq": {
        "bucket": (1, "bytes"),
        "start_key": (2, "bytes"),
        "end_key": (3, "bytes"),
        "start_incl": (4, "bool"),
        "end_incl": (5, "bool"),
        "continuation": (6, "bytes"),
        "max_results": (7, "uint32"),
        "timeout": (8, "uint32"),
        "type": (9, "bytes"),
    },
    "IndexObject": {"key": (1, "bytes"), "object": (2, "GetResp")},
    "CSBucketResp": {"objects": (1, "[IndexObject]"), "continuation": (2, "bytes"), "done": (3, "bool")},
    "DtFetchReq": {
        "bucket": (1, "bytes"),
        "key": (2, "bytes"),
        "type": (3, "bytes"),
        "r": (4, "uint32"),
        "pr": (5, "uint32"),
        "notfound_ok": (7, "bool"),
        "timeout": (8, "uint32"),
    },
    "DtValue": {"counter_value": (1, "sint64")},
    "DtFetchResp": {"type": (2, "uint32"), "value": (3, "DtValue")},
    "CounterOp": {"increment": (1, "sint64")},
    "DtOp": {"counter_op": (1, "CounterOp")},
    "DtUpdateReq": {
        "bucket": (1, "bytes"),
        "key": (2, "bytes"),
        "type": (3, "bytes"),
        "op": (5, "DtOp"),
        "w": (6, "uint32"),
        "dw": (7, "uint32"),
        "pw": (8, "uint32"),
        "return_body": (9, "bool"),
        "timeout": (10, "uint32"),
    },
    "DtUpdateResp": {"counter_value": (3, "sint64")},
    "Nothing": {},
}

_PACKAGE: Final = "kvlayer.riak"


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="kvlayer_riak.proto", package=_PACKAGE, syntax="proto2")
    of = descriptor_pb2.FieldDescriptorProto
    for message, fields in _DESCRIPTIONS.items():
        description = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            entry = description.field.add(name=field, number=number)
            entry.label = of.LABEL_REPEATED if kind.startswith("[") else of.LABEL_OPTIONAL
            name = kind.strip("[]")
            if name in _DESCRIPTIONS:
                entry.type, entry.type_name = of.TYPE_MESSAGE, f".{_PACKAGE}.{name}"
            else:
                entry.type = of.Type.Value(f"TYPE_{name.upper()}")
    # A pool of its own: another library of the program may describe Riak's messages too.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{message}"))
        for message in _DESCRIPTIONS
    }


_CLASSES: Final = _message_classes()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer: two codes, two classes."""

    request_code: int
    request: Any
    """The class of the request; `exchange.request(bucket=..., key=...)` makes one."""
    reply_code: int
    reply_class: Any

    def frame(self, message: Any) -> bytes:
        """What is sent for a request."""
        body: bytes = message.SerializeToString()
        return HEADER.pack(len(body) + 1, self.request_code) + body

    def reply(self, body: bytes) -> Any:
        """The answer's message. Raises Disconnected for bytes that are none."""
        try:
            return self.reply_class.FromString(body)
        except DecodeError as error:
            raise Disconnected("an answer can't be decoded: is this Riak's pb_port?") from error


def _exchange(code: int, request: str, reply: str = "Nothing") -> Exchange:
    return Exchange(code, _CLASSES[request], code + 1, _CLASSES[reply])


ErrorResp: Final = _CLASSES["ErrorResp"]

PING: Final = _exchange(1, "Nothing")
SERVER_INFO: Final = _exchange(7, "Nothing", "GetServerInfoResp")
GET: Final = _exchange(9, "GetReq", "GetResp")
PUT: Final = _exchange(11, "PutReq", "GetResp")
DELETE: Final = _exchange(13, "DelReq")
GET_BUCKET: Final = _exchange(19, "GetBucketReq", "GetBucketResp")
SET_BUCKET: Final = _exchange(21, "SetBucketReq")
INDEX: Final = _exchange(25, "IndexReq", "IndexResp")
CS_BUCKET: Final = _exchange(40, "CSBucketReq", "CSBucketResp")
DT_FETCH: Final = _exchange(80, "DtFetchReq", "DtFetchResp")
DT_UPDATE: Final = _exchange(82, "DtUpdateReq", "DtUpdateResp")
