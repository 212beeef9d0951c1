-- write-key: makes one change of an API key's record, with all that follows from it, or nothing. audit.lua stands in front of it.
--
-- KEYS   [1] the record
--        [2] how many records were ever listed: what gives each its place in the order of creation
--        [3] the audit stream
--        [4] the list by creation in which the record stood, [5] in which it will stand
--        [6] the list by name in which it stood, [7] in which it will stand; for a new record each pair is one list
--        [8] the reply to be remembered; only where there is one
-- ARGV   [1] version that the record must have; empty: there must be no record
--        [2] hash of the key before this change; empty when there is none
--        [3] what stands for the record in lists by creation
--        [4] in lists by name, before, [5] and after
--        [6] audit entry
--        [7] how many audit entries are kept
--        [8] reply to be remembered
--        [9] for how many seconds
--        [10] how many fields of the record go, then their names; then the fields that are set: name, value
-- reply  { 'written' }, { 'conflict' } or { 'repeated', the reply that was remembered }
--
-- Lists are sorted sets: by creation with a sequence number as score, which no clock can turn back; by name with score 0,
-- where Redis orders members by their bytes.

local record, sequence, stream, reply = KEYS[1], KEYS[2], KEYS[3], KEYS[8]

if reply then
  local remembered = redis.call('GET', reply)
  if remembered then
    return { 'repeated', remembered }
  end
end
local held = redis.call('HMGET', record, 'version', 'hash', 'hash_was')
if (held[1] or '') ~= ARGV[1] then
  return { 'conflict' }
end

local gone = {}
for field = 1, tonumber(ARGV[10]) do
  gone[field] = ARGV[10 + field]
end
local fields, rotated_was = {}, nil
for at = 11 + #gone, #ARGV, 2 do
  local field, value = ARGV[at], ARGV[at + 1]
  -- A decision may have replaced the hash, by the one under a newer secret, since the writer read it.
  if field == 'rotated' and value == ARGV[2] then
    value = held[2] or value
    rotated_was = held[3]
  end
  if field == 'hash' then
    -- Of another key now: what the present one was under an older secret is its no more.
    gone[#gone + 1] = 'hash_was'
    gone[#gone + 1] = 'rotated_was'
  end
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end

-- What is of another type than it should be fails here, before anything is written.
local place = redis.call('ZSCORE', KEYS[4], ARGV[3])
for list = 5, 7 do
  redis.call('ZSCORE', KEYS[list], ARGV[3])
end

-- A script is refused by a full Redis at its first write: nothing is written then. A number that is not used is no matter,
-- and the audit comes next, so that nothing is changed without it.
-- Adding to a list what is there already changes nothing; what somebody deleted from one comes back to it.
place = place or redis.call('INCR', sequence)
audit(stream, ARGV[6], ARGV[7])
if reply then
  redis.call('SET', reply, ARGV[8], 'EX', ARGV[9])
end
redis.call('HSET', record, unpack(fields))
if #gone > 0 then
  redis.call('HDEL', record, unpack(gone))
end
if rotated_was then
  redis.call('HSET', record, 'rotated_was', rotated_was)
end
if KEYS[4] ~= KEYS[5] then
  redis.call('ZREM', KEYS[4], ARGV[3])
end
redis.call('ZADD', KEYS[5], place, ARGV[3])
if KEYS[6] ~= KEYS[7] or ARGV[4] ~= ARGV[5] then
  redis.call('ZREM', KEYS[6], ARGV[4])
end
redis.call('ZADD', KEYS[7], 0, ARGV[5])
return { 'written' }
