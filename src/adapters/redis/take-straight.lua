-- The straight path of take.lua: one hit, charged all or nothing, whose windows are exactly those that its key holds.
-- It stands in front of take.lua's general path, and leaves to that whatever it does not expect.
--
-- unroll.ts writes this out for given windows: a line that names W is repeated for every window, W being its number from 1;
-- LIST(…) is repeated within its line. SECONDS_W is a window's length, FORMAT the whole value's, BYTES the value's size.

local value = redis.call('GET', KEYS[1])
local cost, need = tonumber(ARGV[4]), tonumber(ARGV[5])
local start_W, used_W = now - now % SECONDS_W, 0
local expected = not value
if value and #value == BYTES then
  local LIST(seconds_W, stored_W, count_W) = struct.unpack(FORMAT, value)
  expected = true
  if seconds_W ~= SECONDS_W then expected = false end
  -- A start later than now's means that the clock stepped back: the count stands.
  if stored_W >= start_W then start_W, used_W = stored_W, count_W end
end
if expected then
  local over = false
  if used_W > tonumber(ARGV[6 + 2 * W]) - need then over = true end
  if cost ~= 0 and not over then
    local ends = 0
    if start_W + SECONDS_W > ends then ends = start_W + SECONDS_W end
    local record = struct.pack(FORMAT, LIST(SECONDS_W, start_W, used_W + cost))
    redis.call('SET', KEYS[1], record, 'EX', ends - now + jitter)
  end
  return { now, LIST(start_W, used_W) }
end
