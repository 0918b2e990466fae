"""What the server does in one step: scripts in its Lua, each sent once and then called by its hash."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import redis

from kvlayer.backends.base import PAGE_BYTES
from kvlayer.backends.redis.layout import TableKeys

NO_TABLE: Final = 0
"""What every script answers where the table isn't there."""

DONE: Final = 1
"""What a script answers that has written."""

BEYOND: Final = 2
"""What `ADD` answers where the numbers are too large for it; nothing was written."""

EXACT_LIMIT: Final = 10**15
"""`ADD` adds numbers of fewer than 16 characters: Lua's numbers are floats, exact up to 2**53."""

# Lua's unpack ends at 8000 values, so the longest argument lists are cut.
_STATE: Final = """
local state = redis.call('GET', KEYS[1])
if not state or state == 'dropped' then return 0 end
local function write(rows)
    for first = 1, #rows, 4000 do
        local last = math.min(first + 3999, #rows)
        local scores = {}
        for i = first, last, 2 do
            scores[i - first + 1] = '0'
            scores[i - first + 2] = rows[i]
        end
        redis.call('HSET', KEYS[2], unpack(rows, first, last))
        redis.call('ZADD', KEYS[3], unpack(scores))
    end
end
"""


class Script:
    """One script. The three Redis keys of a table are its KEYS."""

    def __init__(self, text: str) -> None:
        self._text = _STATE + text
        self._hash = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Any, keys: TableKeys, *arguments: bytes | int) -> Any:
        """Runs it; a server that doesn't know it yet has done nothing, and is then sent its text."""
        try:
            return client.execute_command("EVALSHA", self._hash, len(keys), *keys, *arguments)
        except redis.exceptions.NoScriptError:
            return client.execute_command("EVAL", self._text, len(keys), *keys, *arguments)


# key, value, key, value, ...
PUT: Final = Script("write(ARGV) return 1")

# lowest, highest, reverse or not (1, 0), rows → keys, values or nil, whether cut off by bytes.
PAGE: Final = Script(
    """
local keys
if ARGV[3] == '1' then
    keys = redis.call('ZRANGE', KEYS[3], ARGV[2], ARGV[1], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[4])
else
    keys = redis.call('ZRANGE', KEYS[3], ARGV[1], ARGV[2], 'BYLEX', 'LIMIT', 0, ARGV[4])
end
if #keys == 0 then return {keys, {}, 0} end
if state ~= 'large' then return {keys, redis.call('HMGET', KEYS[2], unpack(keys)), 0} end
local size = 0
for i = 1, #keys do
    size = size + #keys[i] + redis.call('HSTRLEN', KEYS[2], keys[i])
    if size >= PAGE_BYTES then return {{unpack(keys, 1, i)}, false, 1} end
end
return {keys, false, 0}
""".replace("PAGE_BYTES", str(PAGE_BYTES))
)

# keys → of how many of them the values fit into one answer.
FITTING: Final = Script(
    """
local size = 0
for i = 1, #ARGV do
    size = size + redis.call('HSTRLEN', KEYS[2], ARGV[i])
    if size >= PAGE_BYTES then return i end
end
return #ARGV
""".replace("PAGE_BYTES", str(PAGE_BYTES))
)

# key, delta, key, delta, ... → the sums as text. All are checked before the first is written.
ADD: Final = Script(
    """
local rows = {}
local sums = {}
for i = 1, #ARGV, 2 do
    local present = redis.call('HGET', KEYS[2], ARGV[i]) or '0'
    if #present > 15 or not string.match(present, '^%-?%d+$') then return 2 end
    sums[#sums + 1] = string.format('%.0f', tonumber(present) + tonumber(ARGV[i + 1]))
    rows[i] = ARGV[i]
    rows[i + 1] = sums[#sums]
end
write(rows)
return sums
"""
)

# 'large' or 'made', then for each row: key, expected, new value, both as `optional` writes them
# → 1 if all were as expected, or else the present values.
REPLACE: Final = Script(
    """
local present = {}
local same = true
for i = 2, #ARGV, 3 do
    local value = redis.call('HGET', KEYS[2], ARGV[i])
    present[#present + 1] = value
    same = same and (value and '=' .. value or '') == ARGV[i + 1]
end
if not same then return present end
local rows = {}
for i = 2, #ARGV, 3 do
    if ARGV[i + 2] == '' then
        redis.call('HDEL', KEYS[2], ARGV[i])
        redis.call('ZREM', KEYS[3], ARGV[i])
    else
        rows[#rows + 1] = ARGV[i]
        rows[#rows + 1] = string.sub(ARGV[i + 2], 2)
    end
end
if ARGV[1] == 'large' and state ~= 'large' then redis.call('SET', KEYS[1], 'large') end
write(rows)
return 1
"""
)


def optional(value: bytes | None) -> bytes:
    """A value that may be absent, as `REPLACE` takes it."""
    return b"" if value is None else b"=" + value
