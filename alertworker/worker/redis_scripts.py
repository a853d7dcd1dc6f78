"""The Lua scripts by which a worker's Redis transport moves a batch in one step.

Redis does not roll back a script that fails half-way. So each script checks the types of its keys before it writes, and
stores an entry in its new place before it removes it from the old one. A user whose rights were reduced may lack the
right to one of the commands. Each command that removes is therefore first called so that it changes nothing: a script
that may not remove an entry must not copy it either.

When memory is full Redis refuses a script's first write if that may use more memory, but no later one. The calls that
change nothing are the first writes, and they use no memory. So the scripts work with full memory.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Final

from alertworker.events.message import KEPT_BYTES, MAX_MESSAGE_BYTES

#: The maximum size of an envelope in bytes: a body of the maximum size in base64, and its headers.
MAX_ENVELOPE_BYTES: Final = MAX_MESSAGE_BYTES * 3 // 2
#: The first bytes of an entry that `RETURN` cut. The entry's size and SHA-1, a newline and its start follow.
CUT: Final = "\0alertworker-cut "

#: An entry is identified by its fingerprint, so that a large one is not sent back to the broker: the size and a SHA-1.
#: The SHA-1 is exact for an entry that can be applied. A larger one takes Redis seconds, so its ends are enough.
_FINGERPRINT: Final = f"""
local function fingerprint(entry)
  local part = entry
  if #entry > {MAX_ENVELOPE_BYTES} then part = string.sub(entry, 1, 65536) .. string.sub(entry, -65536) end
  return #entry .. ' ' .. redis.sha1hex(part)
end
"""
#: Finds the entry with a fingerprint in KEYS[1], and removes one. A taken entry is mostly the first one. LTRIM neither
#: copies it nor writes it to the append-only file. `may_remove` raises an error if Redis refuses one of the commands.
#: Its argument is a string that no producer can know, so no entry is equal to it.
_REMOVE: Final = (
    _FINGERPRINT
    + """
local function find(wanted)
  for place = 0, redis.call('LLEN', KEYS[1]) - 1 do
    local entry = redis.call('LINDEX', KEYS[1], place)
    if fingerprint(entry) == wanted then return entry, place end
  end
end
local function may_remove(unknown)
  redis.call('LTRIM', KEYS[1], 0, -1)
  redis.call('LREM', KEYS[1], 1, unknown)
end
local function remove(entry, place)
  if place == 0 then redis.call('LTRIM', KEYS[1], 1, -1) else redis.call('LREM', KEYS[1], 1, entry) end
end
"""
)
#: Replaces the entry of KEYS[1] with the fingerprint ARGV[1] by the note ARGV[3] with tag ARGV[2] and the broker's
#: time. Returns 0 if the entry is gone. ARGV[4] is a tag under which a publisher of an earlier release may have noted
#: the message.
NOTE: Final = (
    _REMOVE
    + """
local index, notes = redis.call('TYPE', KEYS[2]).ok, redis.call('TYPE', KEYS[3]).ok
if (index ~= 'zset' and index ~= 'none') or (notes ~= 'hash' and notes ~= 'none') then
  return redis.error_reply('WRONGTYPE a key of the notes is not what kombu keeps there')
end
local entry, place = find(ARGV[1])
if not entry then return 0 end
may_remove(ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('HDEL', KEYS[3], ARGV[4])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] + now[2] / 1000000, ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
remove(entry, place)
return 1
"""
)
#: Returns the fingerprint of each of the first ARGV[1] entries of KEYS[1].
LIST: Final = (
    _FINGERPRINT
    + """
local found = {}
for place, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)) do found[place] = fingerprint(entry) end
return found
"""
)
#: Moves the entry with the fingerprint ARGV[1] from KEYS[1] to the end of KEYS[2] that is served next, unless it is
#: gone. Of an entry that is too large for an envelope only the start goes back, after ARGV[2]. It can never be applied,
#: and its worker may have died of its size. ARGV[3] is the string for `may_remove`.
RETURN: Final = (
    _REMOVE
    + f"""
local queue = redis.call('TYPE', KEYS[2]).ok
if queue ~= 'list' and queue ~= 'none' then return redis.error_reply('WRONGTYPE the queue is not a list') end
local entry, place = find(ARGV[1])
if not entry then return 0 end
may_remove(ARGV[3])
local kept = entry
if #entry > {MAX_ENVELOPE_BYTES} then kept = ARGV[2] .. ARGV[1] .. '\\n' .. string.sub(entry, 1, {KEPT_BYTES}) end
redis.call('RPUSH', KEYS[2], kept)
remove(entry, place)
return 1
"""
)
#: Puts the message of the note with the tag ARGV[1] back: the command ARGV[3] pushes ARGV[4] to KEYS[3], ARGV[5] to
#: KEYS[4], and so on. Then the note is removed from index KEYS[1] and notes KEYS[2]. Returns 0 if it was gone.
#: ARGV[2] is the string for the calls that change nothing.
RESTORE: Final = """
for place = 3, #KEYS do
  local queue = redis.call('TYPE', KEYS[place]).ok
  if queue ~= 'list' and queue ~= 'none' then return redis.error_reply('WRONGTYPE the queue is not a list') end
end
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[2], ARGV[2])
local found = redis.call('HEXISTS', KEYS[2], ARGV[1])
if found == 1 then
  for place = 3, #KEYS do redis.call(ARGV[3], KEYS[place], ARGV[place + 1]) end
end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
return found
"""
#: Sets the times of the notes ARGV[2], ARGV[3], … in the index KEYS[1] to the broker's, unless they are gone.
RENEW: Final = """
redis.call('ZREM', KEYS[1], ARGV[1])
local now = redis.call('TIME')
for place = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now[1] + now[2] / 1000000, ARGV[place]) end
return 1
"""
#: BLMOVE without waiting, for a Redis whose memory is full: it refuses BLMOVE.
TAKE: Final = """
redis.call('LTRIM', KEYS[1], 0, -1)
return redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')
"""


def fingerprint(entry: bytes) -> str:
    """Return the fingerprint by which the scripts identify an entry."""
    part = entry if len(entry) <= MAX_ENVELOPE_BYTES else entry[:65_536] + entry[-65_536:]
    return f"{len(entry)} {sha1(part).hexdigest()}"  # noqa: S324 - Redis has no other digest
