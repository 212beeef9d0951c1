-- The straight path of take.lua: one hit with an API key that gives nothing back, whose windows are exactly those that its
-- counter holds, and whose key is active and hashed with the current secret.
-- It stands in front of take.lua's general path, and leaves to that whatever it does not expect.
--
-- unroll.ts writes this out for given windows: a line that names W is repeated for every window, W being its number from 1;
-- LIST(…) is repeated within its line. SECONDS_W is a window's length, FORMAT the whole value's, BYTES the value's size,
-- MAX_AT + 2 * W the argument with its max.

local value = redis.call('GET', KEYS[1])
local cost, need = tonumber(ARGV[4]), tonumber(ARGV[5])
local max_W = tonumber(ARGV[MAX_AT + 2 * W])
local start_W, used_W = now - now % SECONDS_W, 0
local expected = not value
if value and #value == BYTES then
  local LIST(seconds_W, stored_W, count_W) = struct.unpack(FORMAT, value)
  expected = true
  if seconds_W ~= SECONDS_W then expected = false end
  -- A start later than now's means that the clock stepped back: the count stands.
  if stored_W >= start_W then start_W, used_W = stored_W, count_W end
end
local record = redis.call('HMGET', KEYS[2], 'hash', 'until', LIST('max:SECONDS_W'))
if record[1] ~= ARGV[7] or now >= tonumber(record[2]) then expected = false end
if ARGV[9] == '1' then max_W = tonumber(record[2 + W]) or max_W end
if expected then
  local over = false
  if used_W > max_W - need then over = true end
  -- Alone in its request, a hit that is not charged together with others is always charged.
  if cost ~= 0 and (not over or ARGV[2] ~= '0') then
    local ends = 0
    local charged_W = used_W + cost
    if charged_W > COST_MAX then charged_W = COST_MAX end
    if start_W + SECONDS_W > ends then ends = start_W + SECONDS_W end
    local packed = struct.pack(FORMAT, LIST(SECONDS_W, start_W, charged_W))
    redis.call('SET', KEYS[1], packed, 'EX', ends - now + jitter)
  end
  return { now, 1, LIST(start_W, used_W, max_W) }
end
