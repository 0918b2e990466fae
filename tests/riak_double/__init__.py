"""A stand-in for a Riak cluster, for tests: it speaks the Protocol Buffers interface as a real node does.

It shares no code with the client that it tests: framing and encoding are written by hand here, without the
`protobuf` library, so that one mistake can't hide in both. It follows what was measured on a Riak KV 3
node; where a real node leaves something open (how many rows are in a frame, when tombstones go), a knob says.

- `encoding`: fields ↔ bytes
- `erlang`: counters in their binary form
- `store`: what the cluster holds
- `service`: requests → answers
- `server`: nodes that listen, and what can be done to them

`python tests/riak_double --port 8087` runs one node until it is interrupted.
"""

from riak_double.server import Fault, RiakDouble
from riak_double.store import Knobs

__all__ = ["Fault", "Knobs", "RiakDouble"]
