"""The Lua scripts by which a worker's Redis transport moves a batch in one step.

Redis does not roll back a script that fails half-way, so each script checks the types of its keys before it writes.
When memory is full Redis refuses a script's first write if that may use more memory, but no later one. Each script's
first write removes something, so the scripts work with full memory.
"""

from __future__ import annotations

from typing import Final

#: Replaces the entry of KEYS[1] with the size ARGV[1] and the SHA-1 ARGV[5] by the note ARGV[3] with tag ARGV[2] and
#: the broker's time. Returns 0 if the entry is gone. ARGV[4] is a tag under which a publisher of an earlier release may
#: have noted the message. A worker does not send the entry back: it may be large. A taken entry is mostly the first
#: one, and LPOP does not write it to the append-only file either.
NOTE: Final = """
local index, notes = redis.call('TYPE', KEYS[2]).ok, redis.call('TYPE', KEYS[3]).ok
if (index ~= 'zset' and index ~= 'none') or (notes ~= 'hash' and notes ~= 'none') then
  return redis.error_reply('WRONGTYPE a key of the notes is not what kombu keeps there')
end
local function remove()
  for place = 0, redis.call('LLEN', KEYS[1]) - 1 do
    local entry = redis.call('LINDEX', KEYS[1], place)
    if #entry == tonumber(ARGV[1]) and redis.sha1hex(entry) == ARGV[5] then
      if place == 0 then redis.call('LPOP', KEYS[1]) else redis.call('LREM', KEYS[1], 1, entry) end
      return true
    end
  end
  return false
end
if not remove() then return 0 end
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('HDEL', KEYS[3], ARGV[4])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] + now[2] / 1000000, ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
return 1
"""
#: Returns a fingerprint of each of the first ARGV[1] entries of KEYS[1]: the entries themselves may be large.
LIST: Final = """
local found = {}
for place, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)) do
  found[place] = #entry .. ' ' .. redis.sha1hex(string.sub(entry, 1, 65536) .. string.sub(entry, -65536))
end
return found
"""
#: Moves the entry with the fingerprint ARGV[1] from KEYS[1] to the end of KEYS[2] that is served next, unless it is
#: gone.
RETURN: Final = """
local queue = redis.call('TYPE', KEYS[2]).ok
if queue ~= 'list' and queue ~= 'none' then return redis.error_reply('WRONGTYPE the queue is not a list') end
for place, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if ARGV[1] == #entry .. ' ' .. redis.sha1hex(string.sub(entry, 1, 65536) .. string.sub(entry, -65536)) then
    redis.call('LREM', KEYS[1], 1, entry)
    redis.call('RPUSH', KEYS[2], entry)
    return 1
  end
end
return 0
"""
#: BLMOVE without waiting, for a Redis whose memory is full: it refuses BLMOVE.
TAKE: Final = """
local taking = redis.call('TYPE', KEYS[2]).ok
if taking ~= 'list' and taking ~= 'none' then return redis.error_reply('WRONGTYPE the destination is not a list') end
local entry = redis.call('RPOP', KEYS[1])
if entry then redis.call('LPUSH', KEYS[2], entry) end
return entry
"""
