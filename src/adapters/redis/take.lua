-- take: charges the hits of one request, each by its rule, and reads back.
--
-- KEYS   for every hit, in request order: its counter; then, if it is keyed: the record of its API key, and the counter
--        that is charged in place of the first if there is no record of the key; the same key may stand for several hits
-- ARGV   [1] jitter: up to so many seconds are added to an expiry, so that subjects do not all vanish in one second
--        then for every hit:
--          charging  when its counter changes. 0 together: if it fits and the request is not denied; 1 always;
--                    2 stop: if it does not fit, or if all such hits fit
--          denies    what not fitting does to the request. 0: nothing; 1: denies it; 2: denies it if no such hit fits
--          cost      what is charged to every window; 0 reads, negative gives back, to no less than 0
--          need      what must be left in every window
--          keyed     1: an API key was presented; else 0
--        if it is keyed:
--          hash      of the key
--          previous  its hash under the previous hash secret, or empty
--          own       1: the record's own numbers replace the max of the window of their length; else 0
--          refuses   1: a key that is not active is refused; else 0
--          counts    1: a key without a record, or of a record whose key is another, is counted; 0: it is refused
--        then:
--          windows   how many follow, each as two arguments: its length in seconds, its max
--        and if it is keyed and `counts`, the same once more: the windows for a key without a record
-- reply  { now, then for every hit: if it is keyed its standing (0 no record, 1 active, 2 not active, 3 the record's key
--        is another); then, unless the key is refused, for every window: start, used before this hit, and if it is keyed the max in force }, all integers
--
-- What a counter's value is, counts.lua says.
-- core/window.ts, core/hit.ts and core/decision.ts are the twin of this file: the same vectors are run against both.

local COST_MAX = 9007199254740991 -- 2^53 - 1: a Lua number is a double
local UNKNOWN, ACTIVE, INACTIVE, REPLACED = 0, 1, 2, 3
local TOGETHER, STOP = '0', '2'
local ALONE, JOINTLY = '1', '2'

local time = redis.call('TIME')
local now = tonumber(time[1])
-- The clock's microseconds serve as the dice: a script has no other source of chance.
local jitter = tonumber(time[2]) % (tonumber(ARGV[1]) + 1)

-- (the straight path stands here)

-- (counts.lua stands here)

-- Whether a hash of the record is that of the presented key. One under the previous secret gives way to one under the
-- current: once every key has been seen, that secret can go. It stays beside it, for replicas that do not have the new
-- secret yet.
local function is_its(record, field, stored, was, presented)
  if stored == presented.hash or was == presented.hash then
    return true
  end
  if stored ~= presented.previous and was ~= presented.previous then
    return false
  end
  redis.call('HSET', record, field, presented.hash, field .. '_was', presented.previous)
  return true
end

local function standing_of(record, presented)
  local stored = redis.call('HMGET', record, 'until', 'hash', 'hash_was', 'rotated', 'rotated_was', 'rotated_until')
  local ends, hash, rotated = stored[1], stored[2], stored[4]
  if not hash then
    return UNKNOWN
  end
  local current = is_its(record, 'hash', hash, stored[3], presented)
  local graced = not current and rotated and now < tonumber(stored[6])
  if not current and not (graced and is_its(record, 'rotated', rotated, stored[5], presented)) then
    return REPLACED
  end
  return now < tonumber(ends) and ACTIVE or INACTIVE
end

local next_arg, next_key = 2, 1
local function argument()
  next_arg = next_arg + 1
  return ARGV[next_arg - 1]
end
local function key_name()
  next_key = next_key + 1
  return KEYS[next_key - 1]
end

local function read_windows()
  local windows = {}
  for w = 1, tonumber(argument()) do
    local seconds = tonumber(argument())
    windows[w] = { seconds = seconds, max = tonumber(argument()) }
  end
  return windows
end

-- What is charged once the record is known: the counter's key and its windows, or nothing if the key is refused.
local function resolve_key(key)
  local record = key_name()
  local presented = { hash = argument() }
  presented.previous = argument()
  local own = argument() == '1'
  local refuses = argument() == '1'
  local counts = argument() == '1'
  local windows = read_windows()
  local unknown_key, unknown_windows
  if counts then
    unknown_key = key_name()
    unknown_windows = read_windows()
  end

  local standing = standing_of(record, presented)
  if (standing == INACTIVE or standing == REPLACED) and refuses then
    return standing
  end
  if standing == UNKNOWN or standing == REPLACED then
    return standing, unknown_key, unknown_windows
  end
  if standing == INACTIVE then
    return standing, key, windows
  end
  for w = 1, own and #windows or 0 do
    windows[w].max = tonumber(redis.call('HGET', record, 'max:' .. windows[w].seconds)) or windows[w].max
  end
  return standing, key, windows
end

local subjects = {} -- counts by key, since several hits may share one
local hits = {}
local reply = { now }
local denied, stopped, joint, joint_over = false, false, 0, 0

-- What the hit finds, earlier hits of this call taken into account.
local function look(hit, keyed)
  local counts = subjects[hit.key] or read(hit.key)
  subjects[hit.key] = counts
  for w, window in ipairs(hit.windows) do
    local count = window_current(counts[window.seconds], window.seconds)
    counts[window.seconds] = count
    hit.found[w] = count
    reply[#reply + 1] = count.start
    reply[#reply + 1] = count.held
    if keyed then
      reply[#reply + 1] = window.max
    end
    if count.held > window.max - hit.need then
      hit.over = true
    end
  end
  if hit.charging ~= TOGETHER or not hit.over then
    for _, count in ipairs(hit.found) do
      count.held = charged(count.held, hit.cost)
    end
  end
end

while next_key <= #KEYS do
  local hit = { found = {}, over = false, key = key_name() }
  hit.charging = argument()
  local denies = argument()
  hit.cost = tonumber(argument())
  hit.need = tonumber(argument())
  local keyed = argument() == '1'
  if keyed then
    local standing
    standing, hit.key, hit.windows = resolve_key(hit.key)
    reply[#reply + 1] = standing
  else
    hit.windows = read_windows()
  end
  if hit.key then
    look(hit, keyed)
    hits[#hits + 1] = hit
  end
  local misfits = hit.over or not hit.key
  denied = denied or (misfits and denies == ALONE)
  stopped = stopped or (hit.over and hit.charging == STOP)
  if denies == JOINTLY then
    joint = joint + 1
    joint_over = joint_over + (misfits and 1 or 0)
  end
end
denied = denied or (joint > 0 and joint_over == joint)

local function is_charged(hit)
  if hit.charging == TOGETHER then
    return not (hit.over or denied)
  end
  return hit.charging ~= STOP or hit.over or not stopped
end

local changed = {}
for _, hit in ipairs(hits) do
  if hit.cost ~= 0 and is_charged(hit) then
    for _, count in ipairs(hit.found) do
      count.used = charged(count.used, hit.cost)
    end
    changed[hit.key] = subjects[hit.key]
  end
end
for key, counts in pairs(changed) do
  write(key, counts)
end
return reply
