"""Tables in Riak KV, over its Protocol Buffers interface.

- `backend`: the operations of `kvlayer.backends.base.Backend`
- `options`: the configuration
- `layout`: names ↔ buckets, keys ↔ Riak's keys
- `tables`: which tables there are; making and dropping them
- `objects`, `counters`: rows as plain objects, and as Riak's counters
- `scanning`: pages of rows and keys, bounded in bytes
- `contents`, `erlang`: what a stored object holds: siblings, tombstones, the binary form of counters
- `requests`: repeating what may be repeated, and errors as kvlayer's
- `wire`: the client of the interface, which knows nothing of the rest

docs/backends/riak.md is for users.
"""

from kvlayer.backends.riak.backend import RiakBackend

__all__ = ["RiakBackend"]
