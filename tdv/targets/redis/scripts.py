"""What runs inside the Redis server, in its Lua.

Each is one step that nobody sees half of, or reads a slice of the keys so that nobody waits long. A server before 7 has
to be told that a script writes what it looked for. Always holds: a script that changes rows first writes what could be
refused (for want of memory or rights, or on a replica), so that nothing is half done.
"""

from __future__ import annotations

from typing import Final

_START: Final = """
if redis.replicate_commands then redis.replicate_commands() end
local function each(pattern, work)
  local cursor = '0'
  repeat
    local found = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 100)
    cursor = found[1]
    for _, key in ipairs(found[2]) do work(key) end
  until cursor == '0'
end
local function guarded(name, value)
  return redis.call('GET', name) == value
end
local function mark(state, schemas)
  for dataset, text in pairs(state) do redis.call('HSET', '_tdv_state', dataset, text) end
  for name, text in pairs(schemas) do redis.call('HSET', '_tdv_schema', name, text) end
end
local function looked()
  return {redis.call('INFO'), redis.call('INFO', 'commandstats'), redis.call('TIME')[1], redis.call('DBSIZE')}
end
"""

LOOK: Final = _START + "return looked()"
"""What a proof is made of."""

READ: Final = """
local columns = {unpack(ARGV, 6)}
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local start, colons = tonumber(ARGV[4]) + 1, tonumber(ARGV[5]) - 1
local width, lengths, values, n = #columns, {}, {}, 0
local keys, pcall, find = found[2], redis.pcall, string.find
for i = 1, #keys do
  local key, at, left = keys[i], start, colons
  while left >= 0 do
    at = find(key, ':', at, true)
    if not at then break end
    at, left = at + 1, left - 1
  end
  if left == 0 then
    local row = pcall('HMGET', key, unpack(columns))
    if row.err then return redis.error_reply('TDVNOROW') end
    n = n + 1
    lengths[n], values[n] = #key, key
    for c = 1, width do
      local value = row[c]
      n = n + 1
      if value then
        lengths[n], values[n] = #value, value
      else
        lengths[n], values[n] = -1, ''
      end
    end
  end
end
local pieces = {}
for first = 1, n, 100 do
  local last = math.min(first + 99, n)
  table.insert(pieces, struct.pack('<' .. string.rep('i4', last - first + 1), unpack(lengths, first, last)))
end
return {found[1], table.concat(pieces), table.concat(values)}
"""
"""A slice of a table: cursor, pattern, how many keys to look at, length of the prefix, parts of a key, columns. Answers
the next cursor, then the lengths (-1 for NULL) and the values of the name and the columns of each row, row by row."""

COUNT: Final = """
local places, counts = {}, {}
for place = 3, #ARGV, 2 do
  places[ARGV[place] .. ARGV[place + 1]] = (place - 1) / 2
  table.insert(counts, 0)
end
local found = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
for _, key in ipairs(found[2]) do
  local colon = string.find(key, ':', 1, true)
  if colon then
    local _, colons = string.gsub(string.sub(key, colon + 1), ':', '')
    local place = places[string.sub(key, 1, colon) .. (colons + 1)]
    if place then counts[place] = counts[place] + 1 end
  end
end
return {found[1], unpack(counts)}
"""
"""A slice of all keys: cursor, how many keys to look at, prefix and parts of each table. Answers the next cursor and
the rows of each table."""

SWEEP: Final = (
    _START
    + """
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 5000)
for _, key in ipairs(found[2]) do redis.call('UNLINK', key) end
return found[1]
"""
)
"""Removes a slice of the keys of a pattern: cursor, pattern. Answers the next cursor."""

LIST: Final = (
    _START
    + """
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 5000)
for _, key in ipairs(found[2]) do redis.call('SADD', ARGV[3], string.sub(key, tonumber(ARGV[4]) + 1)) end
return found[1]
"""
)
"""Lists a slice of the keys of a pattern: cursor, pattern, the set that lists them, length of the prefix. Answers the
next cursor."""

PUBLISH: Final = (
    _START
    + """
local plan = cjson.decode(ARGV[4])
if not guarded(ARGV[1], ARGV[2]) then return redis.error_reply('TDVLOST') end
local staged, sub, places = ARGV[3], string.sub, {}
for _, place in ipairs(plan.places) do
  local prefix, parts = unpack(place)
  redis.call('HSET', staged .. '%', '', '')
  redis.call('RENAME', staged .. '%', prefix .. '%')
  redis.call('UNLINK', prefix .. '%')
  places[prefix] = places[prefix] or {}
  places[prefix][parts - 1] = true
end
local function is_row(key)
  local colon = string.find(key, ':', 1, true)
  local wanted = colon and places[sub(key, 1, colon)]
  if not wanted then return false end
  local _, colons = string.gsub(sub(key, colon + 1), ':', '')
  return wanted[colons]
end
local count, has_rows = 0, false
each('*', function(key)
  if sub(key, 1, #staged) == staged then count = count + 1 else has_rows = has_rows or is_row(key) end
end)
if count ~= plan.count then return redis.error_reply('TDVLACKS') end
if has_rows then
  each('*', function(key) if is_row(key) then redis.call('UNLINK', key) end end)
end
each(staged .. '*', function(key) redis.call('RENAMENX', key, sub(key, #staged + 1)) end)
for _, name in ipairs(plan.gone) do redis.call('HDEL', '_tdv_schema', name) end
mark(plan.state, plan.schemas)
redis.call('DEL', ARGV[1])
return looked()
"""
)
"""Puts staged rows in the place of a table's, if all of them are there: the lock, its value, what stands before the
names of staged rows, and a plan. Removes the lock and answers as `LOOK`."""

CLONE: Final = (
    _START
    + """
local plan = cjson.decode(ARGV[3])
redis.call('SELECT', plan.shelf)
local function rows(work)
  local cursor = '0'
  repeat
    local found = redis.call('SSCAN', plan.list, cursor, 'COUNT', 1000)
    cursor = found[1]
    for _, name in ipairs(found[2]) do work(name) end
  until cursor == '0'
end
local missing = redis.call('SCARD', plan.list) ~= plan.rows
rows(function(name) missing = missing or redis.call('EXISTS', plan.image .. name) == 0 end)
if missing then return redis.error_reply('TDVDAMAGED') end
redis.call('HSET', plan.labels, plan.key, plan.used)
redis.call('SELECT', plan.database)
if not guarded(ARGV[1], ARGV[2]) then return redis.error_reply('TDVLOST') end
for _, place in ipairs(plan.places) do
  redis.call('SELECT', plan.shelf)
  redis.call('COPY', plan.labels, place .. '%', 'DB', plan.database, 'REPLACE')
  redis.call('SELECT', plan.database)
  redis.call('UNLINK', place .. '%')
end
redis.call('FLUSHDB')
redis.call('SELECT', plan.shelf)
rows(function(name) redis.call('COPY', plan.image .. name, name, 'DB', plan.database, 'REPLACE') end)
redis.call('SELECT', plan.database)
if plan.keeps then redis.call('SET', ARGV[1], ARGV[2]) end
mark(plan.state, plan.schemas)
return looked()
"""
)
"""Makes a database a copy of an image: a key that guards it, its value, and a plan. The guard goes, unless the plan
keeps it. Answers as `LOOK`."""

CLAIM: Final = (
    _START
    + """
local taken = {[ARGV[2]] = true, [ARGV[3]] = true}
redis.call('SELECT', ARGV[3])
for _, database in ipairs(redis.call('HKEYS', '_tdv_claims')) do taken[database] = true end
for database = tonumber(ARGV[1]), 1, -1 do
  if not taken[tostring(database)] then
    redis.call('SELECT', database)
    if redis.call('DBSIZE') == 0 then
      redis.call('SET', ARGV[4], ARGV[5])
      redis.call('SELECT', ARGV[3])
      redis.call('HSET', '_tdv_claims', database, ARGV[5])
      return database
    end
  end
end
return -1
"""
)
"""Takes an empty database that nobody has, since who has one may empty it: the last one, the target's and the one that
keeps the claims, which are not to be taken, and the key and value that mark it."""

MARKED: Final = (
    _START
    + """
local found = redis.call('HGETALL', '_tdv_claims')
for place = 2, #ARGV do
  redis.call('SELECT', ARGV[place])
  local value = redis.call('GET', ARGV[1])
  if value then
    table.insert(found, ARGV[place])
    table.insert(found, value)
  end
end
return found
"""
)
"""Which databases are claimed or marked: the key, and the databases to look at. Answers their numbers, each with the
name, the mark after the claim."""

DROP: Final = (
    _START
    + """
if redis.call('HGET', '_tdv_claims', ARGV[1]) == ARGV[3] then redis.call('HDEL', '_tdv_claims', ARGV[1]) end
redis.call('SELECT', ARGV[1])
local mark = redis.call('GET', ARGV[2])
if mark == ARGV[3] or (ARGV[4] == '1' and not mark) then redis.call('FLUSHDB', 'ASYNC') end
return 1
"""
)
"""Empties a database that is marked, and ends the claim: its number, the key, the mark, and 1 where it is enough that
there is no other mark."""

LOCK: Final = """
local holder = redis.call('GET', ARGV[1])
if holder and holder ~= ARGV[4] then return holder end
redis.call('SET', ARGV[1], ARGV[2], 'PX', ARGV[3])
return ''
"""
"""Takes a lock: its name, the new value, its time to live, and the value of a holder that is gone. Answers the
holder."""

UNLOCK: Final = "if redis.call('GET', ARGV[1]) == ARGV[2] then return redis.call('DEL', ARGV[1]) end return 0"
