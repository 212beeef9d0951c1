-- forget: what was used in the windows of one length is forgotten; other windows of the counter stay.
--
-- KEYS   [1] a counter, see take.lua
-- ARGV   [1] the length in seconds
-- reply  1, or 0 if there is no such counter

local RECORD_BYTES = 16

local value = redis.call('GET', KEYS[1])
if not value then
  return 0
end
local kept = {}
for at = 1, #value - RECORD_BYTES + 1, RECORD_BYTES do
  if struct.unpack('<I4', value, at) ~= tonumber(ARGV[1]) then
    kept[#kept + 1] = value:sub(at, at + RECORD_BYTES - 1)
  end
end
if #kept == 0 then
  return redis.call('DEL', KEYS[1])
end
redis.call('SET', KEYS[1], table.concat(kept), 'KEEPTTL')
return 1
