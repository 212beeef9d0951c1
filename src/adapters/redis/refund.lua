-- refund: takes a charge back, from the windows that it was made in and from no others.
--
-- KEYS   [1] a counter, see take.lua
-- ARGV   [1] the cost
--        then for every window that was charged: its length in seconds, its start
-- reply  how many windows it was taken back from: of one that has ended since, there is nothing left to be given back

local RECORD = '<I4I5I7'
local RECORD_BYTES = 16

local value = redis.call('GET', KEYS[1])
if not value then
  return 0
end
local starts = {}
for at = 2, #ARGV, 2 do
  starts[tonumber(ARGV[at])] = tonumber(ARGV[at + 1])
end
local records, refunded = {}, 0
for at = 1, #value - RECORD_BYTES + 1, RECORD_BYTES do
  local seconds, start, used = struct.unpack(RECORD, value, at)
  if starts[seconds] == start then
    used = math.max(0, used - tonumber(ARGV[1]))
    refunded = refunded + 1
  end
  records[#records + 1] = struct.pack(RECORD, seconds, start, used)
end
if refunded > 0 then
  redis.call('SET', KEYS[1], table.concat(records), 'KEEPTTL')
end
return refunded
