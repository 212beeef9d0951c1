-- counts: how a counter is read and written where its value may be anything. It stands in take.lua and in take-many.lua,
-- which have the time in `now`, in `jitter` what is added to an expiry, and COST_MAX.
--
-- A counter's value is its windows, 16 bytes each: length (4), start (5), used (7), little-endian.

local RECORD = '<I4I5I7'
local RECORD_BYTES = 16

-- The algorithm of a window: the count in force now, and when it ends. `held` is what stands for earlier hits of this call.
local function window_current(count, seconds)
  local start = now - now % seconds
  -- A start later than now's means that the clock stepped back: the count stands.
  if count and count.start >= start then
    return count
  end
  return { start = start, used = 0, held = 0 }
end

local function window_end(count, seconds)
  return count.start + seconds
end

local function charged(used, cost)
  return math.max(0, math.min(used + cost, COST_MAX))
end

-- The windows of a key by their length, those that ended left out; other policies' windows are kept beside ours.
local function read(key)
  local counts = {}
  local value = redis.call('GET', key)
  if value then
    for at = 1, #value - RECORD_BYTES + 1, RECORD_BYTES do
      local seconds, start, used = struct.unpack(RECORD, value, at)
      local count = { start = start, used = used, held = used }
      if window_end(count, seconds) > now then
        counts[seconds] = count
      end
    end
  end
  return counts
end

-- Shortest first, which is the order that the straight path expects.
local function write(key, counts)
  local lengths, records, ends = {}, {}, 0
  for seconds, count in pairs(counts) do
    lengths[#lengths + 1] = seconds
    ends = math.max(ends, window_end(count, seconds))
  end
  table.sort(lengths)
  for at, seconds in ipairs(lengths) do
    records[at] = struct.pack(RECORD, seconds, counts[seconds].start, counts[seconds].used)
  end
  redis.call('SET', key, table.concat(records), 'EX', ends - now + jitter)
end
