-- take-many: charges many counters by one rule, each as take.lua would in a call of its own.
--
-- KEYS   the counters, in the order of their hits; the same one may stand for several
-- ARGV   [1] jitter: up to so many seconds are added to the expiries
--        [2] fitting  1: a counter changes only if the hit fits; 0: always
--        [3] cost     what is charged to every window; 0 reads; never negative
--        [4] need     what must be left in every window
--        then the max of every window
-- reply  { found, then for every counter that could not be read: its place in KEYS, the error }
--        found: the time (5 bytes), then for every hit its windows as a value has them (counts.lua), before this hit. A
--        window that has ended may stand there as it is, since the reader knows the time.
--
-- unroll.ts writes this out for given windows, as take-straight.lua, beside which it says what SECONDS_W and others are.
-- An error of GET is one key's. Those of SET are everybody's (a replica, a full server), and come before the first change.

local COST_MAX = 9007199254740991 -- 2^53 - 1: a Lua number is a double

local time = redis.call('TIME')
local now = tonumber(time[1])
-- The clock's microseconds serve as the dice: a script has no other source of chance.
local jitter = tonumber(time[2]) % (tonumber(ARGV[1]) + 1)

local keys, call, pcall, pack, parse = KEYS, redis.call, redis.pcall, struct.pack, struct.unpack
local fitting, cost, need = ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local max_W = tonumber(ARGV[MAX_AT + W])
local first_W = now - now % SECONDS_W
local ends = 0
if first_W + SECONDS_W > ends then ends = first_W + SECONDS_W end
-- As text: Redis writes a number out anew for each command.
local expiry = string.format('%d', ends - now + jitter)
local fresh = pack(FORMAT, LIST(SECONDS_W, first_W, 0))

-- Writing the expiry, too, costs as much again as all else: it is left as it is while no window has begun anew. If it was
-- lost, one that is charged alone gets it back at once, others by lot, and all with the next window.
local lot = tonumber(time[2]) % #keys + 1

local found, others = {}, {}
for at = 1, #keys do
  local value = pcall('GET', keys[at]) or fresh
  local expires = value == fresh or at == lot
  -- An error is a table, which has no length.
  local expected = #value == BYTES
  if expected then
    local LIST(seconds_W, start_W, used_W) = parse(FORMAT, value)
    if seconds_W ~= SECONDS_W or start_W > first_W then expected = false end
    if start_W < first_W then used_W, expires = 0, true end
    local over = false
    if used_W > max_W - need then over = true end
    if expected and cost ~= 0 and not (over and fitting) then
      used_W = used_W + cost
      if used_W > COST_MAX then used_W = COST_MAX end
      local packed = pack(FORMAT, LIST(SECONDS_W, first_W, used_W))
      if expires then
        call('SET', keys[at], packed, 'EX', expiry)
      else
        call('SET', keys[at], packed, 'KEEPTTL')
      end
    end
  end
  if not expected then others[#others + 1] = at end
  found[at] = value
end

if #others == 0 then
  return { pack('<I5', now) .. table.concat(found) }
end

-- What is left are errors, values with other windows, and clocks that stepped back.

-- (counts.lua stands here)

local seconds, maxes = { LIST(SECONDS_W) }, { LIST(max_W) }
local function take(key)
  local counts, before, over = read(key), {}, false
  for w, length in ipairs(seconds) do
    local count = window_current(counts[length], length)
    counts[length] = count
    before[w] = pack(RECORD, length, count.start, count.used)
    over = over or count.used > maxes[w] - need
  end
  if cost ~= 0 and not (over and fitting) then
    for _, length in ipairs(seconds) do
      counts[length].used = charged(counts[length].used, cost)
    end
    write(key, counts)
  end
  return table.concat(before)
end

local failures = {}
for _, at in ipairs(others) do
  local value = found[at]
  if type(value) == 'table' then
    failures[#failures + 1] = at
    failures[#failures + 1] = value.err
    value = fresh
  else
    value = take(keys[at])
  end
  found[at] = value
end
return { pack('<I5', now) .. table.concat(found), unpack(failures) }
