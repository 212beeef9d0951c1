-- Stands in front of every script that gives an API key's record its places in lists, and writes down why. audit.lua
-- stands in front of it.
--
-- KEYS   from `key` on: how many records were ever listed: what gives each its place in the order of creation;
--        the audit stream; the list by creation in which the record stood, that in which it will stand; the list by name
--        in which it stood, that in which it will stand; for a new record each pair is one list; then the reply to be
--        remembered, only where there is one
-- ARGV   [1] what stands for the record in lists by creation
--        [2] in lists by name, before, [3] and after
--        [4] audit entry
--        [5] how many audit entries are kept
--        [6] reply to be remembered
--        [7] for how many seconds
--
-- Lists are sorted sets: by creation with a sequence number as score, which no clock can turn back; by name with score 0,
-- where Redis orders members by their bytes.

-- Its place in the order of creation, if it has one; where this is done again, it has that in the new list already. What is
-- of another type than it should be fails here, before anything is written.
local function place_of(key)
  for list = key + 4, key + 5 do
    redis.call('ZSCORE', KEYS[list], ARGV[1])
  end
  local after = redis.call('ZSCORE', KEYS[key + 3], ARGV[1])
  return redis.call('ZSCORE', KEYS[key + 2], ARGV[1]) or after
end

-- A script is refused by a full Redis at its first write: nothing is written then. A number that is not used is no matter,
-- and the audit comes next, so that nothing is changed without it.
local function write_down(key, place)
  place = place or redis.call('INCR', KEYS[key])
  audit(KEYS[key + 1], ARGV[4], ARGV[5])
  if KEYS[key + 6] then
    redis.call('SET', KEYS[key + 6], ARGV[6], 'EX', ARGV[7])
  end
  return place
end

-- Adding to a list what is there already changes nothing; what somebody deleted from one comes back to it.
local function put(key, place)
  if KEYS[key + 2] ~= KEYS[key + 3] then
    redis.call('ZREM', KEYS[key + 2], ARGV[1])
  end
  redis.call('ZADD', KEYS[key + 3], place, ARGV[1])
  if KEYS[key + 4] ~= KEYS[key + 5] or ARGV[2] ~= ARGV[3] then
    redis.call('ZREM', KEYS[key + 4], ARGV[2])
  end
  redis.call('ZADD', KEYS[key + 5], 0, ARGV[3])
end
