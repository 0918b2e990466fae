"""Tables in Redis or Valkey: one server, a primary that Sentinel names, or a cluster; by `redis-py`.

- `backend`: the operations of `kvlayer.backends.base.Backend`
- `layout`: the names of Redis keys
- `namespaces`: which tables there are; making and dropping them
- `reading`, `writing`, `counting`: bounded answers; whole batches; addition that is exact
- `streaming`: batches that are sent while they are being encoded
- `scripts`: what the server does in one step
- `server`: connecting, what the server can do, repeating what a broken connection interrupted
- `options`: the configuration
- `failures`: the driver's errors as kvlayer's

docs/backends/redis.md is for users.
"""

from kvlayer.backends.redis.backend import RedisBackend

__all__ = ["RedisBackend"]
