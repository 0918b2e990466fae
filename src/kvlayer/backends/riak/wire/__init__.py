"""A client of Riak KV's Protocol Buffers interface, which knows nothing of kvlayer's tables.

It speaks to several nodes over a bounded number of connections, and can be used by itself::

    from kvlayer.backends.riak.wire import Address, RiakClient, messages

    with RiakClient([Address("riak01"), Address("riak02")], timeout=10.0) as client:
        put = messages.PUT.request(bucket=b"b", key=b"k", content={"value": b"v"})
        client.call(messages.PUT, put)
        gets = [messages.GET.request(bucket=b"b", key=key) for key in (b"k", b"missing")]
        for outcome in client.call_many(messages.GET, len(gets), gets.__getitem__):
            if isinstance(outcome, bytes):  # else a RiakError
                print(messages.GET.reply(outcome).content)

- `messages`: the messages, made of descriptors when the module is imported, and their codes
- `connection`: frames on one socket
- `pool`: connections to several nodes, some of which may be down
- `pipeline`: many requests over several connections at once
- `client`: the parts together
- `errors`: what can go wrong
"""

from kvlayer.backends.riak.wire.client import RiakClient, Streamed
from kvlayer.backends.riak.wire.errors import ClientClosed, Disconnected, Refused, RiakError
from kvlayer.backends.riak.wire.pool import Address

__all__ = ["Address", "ClientClosed", "Disconnected", "Refused", "RiakClient", "RiakError", "Streamed"]
