-- write-key: makes one change of an API key's record, with all that follows from it, or nothing. audit.lua stands in front of it.
--
-- KEYS   [1] the record
--        [2] the list of all records by creation
--        [3] the audit stream
--        then the lists that the change touches; last, where a reply is to be remembered, its key
-- ARGV   [1] version that the record must have; empty: there must be no record
--        [2] what stands for the record in the lists by creation
--        [3] hash of the key before this change; empty when there is none
--        [4] audit entry
--        [5] how many audit entries are kept
--        [6] reply to be remembered
--        [7] for how many seconds; 0: not at all
--        [8] how many lists follow, each as three arguments:
--              order  1: by creation; 0: by name
--              leave  the member that leaves it; empty: none
--              enter  the member that enters it; empty: none
--        then how many fields of the record go, and their names; then the fields that are set: name, value
-- reply  { 'written' }, { 'conflict' } or { 'repeated', the reply that was remembered }
--
-- Lists by creation are sorted sets by a sequence number, which no clock can turn back; by name, sorted sets of members with
-- score 0, which Redis orders by their bytes.

local record, created, stream = KEYS[1], KEYS[2], KEYS[3]
local remembers = ARGV[7] ~= '0'

if remembers then
  local reply = redis.call('GET', KEYS[#KEYS])
  if reply then
    return { 'repeated', reply }
  end
end
local held = redis.call('HMGET', record, 'version', 'hash')
if (held[1] or '') ~= ARGV[1] then
  return { 'conflict' }
end

-- Its place stays; only the list itself knows it.
local function sequence()
  local place = redis.call('ZSCORE', created, ARGV[2])
  if place then
    return place
  end
  local last = redis.call('ZREVRANGE', created, 0, 0, 'WITHSCORES')
  return string.format('%.0f', (tonumber(last[2]) or 0) + 1)
end

local place = sequence()
local lists = tonumber(ARGV[8])
local at = 9 + 3 * lists
local gone = {}
for field = 1, tonumber(ARGV[at]) do
  gone[field] = ARGV[at + field]
end
at = at + 1 + #gone

local fields = {}
for field = at, #ARGV, 2 do
  local value = ARGV[field + 1]
  -- A decision may have replaced the hash, by the one under a newer secret, since the writer read it.
  if ARGV[field] == 'rotated' and value == ARGV[3] then
    value = held[2] or value
  end
  fields[#fields + 1] = ARGV[field]
  fields[#fields + 1] = value
end

-- First what a full Redis refuses: nothing is written then.
redis.call('HSET', record, unpack(fields))
if #gone > 0 then
  redis.call('HDEL', record, unpack(gone))
end
for list = 1, lists do
  local key, order = KEYS[3 + list], ARGV[6 + 3 * list]
  local leave, enter = ARGV[7 + 3 * list], ARGV[8 + 3 * list]
  if leave ~= '' then
    redis.call('ZREM', key, leave)
  end
  if enter ~= '' then
    redis.call('ZADD', key, order == '1' and place or 0, enter)
  end
end
audit(stream, ARGV[4], ARGV[5])
if remembers then
  redis.call('SET', KEYS[#KEYS], ARGV[6], 'EX', ARGV[7])
end
return { 'written' }
