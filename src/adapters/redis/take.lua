-- take: charges the hits of one request, all or nothing where they are not `always`, and reads back.
--
-- KEYS   one per hit, in request order; the same key may stand for several hits
-- ARGV   [1] jitter: up to so many seconds are added to an expiry, so that subjects do not all vanish in one second
--        then for every hit:
--          always    1: charged even when it does not fit or when another hit is denied; else 0
--          enforced  1: not fitting denies the whole request; else 0
--          cost      what is charged to every window; 0 reads, negative gives back, to no less than 0
--          need      what must be left in every window
--          windows   how many follow, each as two arguments: its length in seconds, its max
-- reply  { now, then for every window of every hit: start, used before this hit }, all integers
--
-- A key's value is its windows, 16 bytes each: length (4), start (5), used (7), little-endian.
-- core/window.ts and core/decision.ts are the twin of this file: the same vectors are run against both.

local RECORD = '<I4I5I7'
local RECORD_BYTES = 16
local COST_MAX = 9007199254740991 -- 2^53 - 1: a Lua number is a double

local time = redis.call('TIME')
local now = tonumber(time[1])
-- The clock's microseconds serve as the dice: a script has no other source of chance.
local jitter = tonumber(time[2]) % (tonumber(ARGV[1]) + 1)

-- (the straight path stands here)

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

local subjects = {} -- counts by key, since several hits may share one
local hits = {}
local reply = { now }
local denied = false
local at = 2

for h = 1, #KEYS do
  local key = KEYS[h]
  local always, enforced = ARGV[at] == '1', ARGV[at + 1] == '1'
  local cost, need, windows = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  at = at + 5
  local counts = subjects[key] or read(key)
  subjects[key] = counts

  local found, over = {}, false
  for w = 1, windows do
    local seconds, max = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    at = at + 2
    local count = window_current(counts[seconds], seconds)
    counts[seconds] = count
    found[w] = count
    reply[#reply + 1] = count.start
    reply[#reply + 1] = count.held
    if count.held > max - need then
      over = true
    end
  end

  denied = denied or (over and enforced)
  if always or not over then
    for w = 1, windows do
      found[w].held = charged(found[w].held, cost)
    end
  end
  hits[h] = { key = key, found = found, cost = cost, always = always, over = over }
end

local changed = {}
for h = 1, #hits do
  local hit = hits[h]
  if hit.cost ~= 0 and (hit.always or not (hit.over or denied)) then
    for w = 1, #hit.found do
      hit.found[w].used = charged(hit.found[w].used, hit.cost)
    end
    changed[hit.key] = subjects[hit.key]
  end
end
for key, counts in pairs(changed) do
  write(key, counts)
end
return reply
