-- write-record: makes one change of an API key's record, and notes what is to follow from it on another slot. record.lua
-- stands in front of it.
--
-- KEYS   [1] the record
--        [2] what is to follow from its last change, while that is not done; on the record's slot
-- ARGV   [1] what is to follow from this one; opaque here
--        [2] and on: the change, see record.lua
-- reply  { 'written' }, { 'conflict' }, or { 'unfinished', what is still to follow from the last change }: it comes first

local unfinished = redis.call('GET', KEYS[2])
if unfinished then
  return { 'unfinished', unfinished }
end
local change = change_of(KEYS[1], 2)
if not change then
  return { 'conflict' }
end
redis.call('SET', KEYS[2], ARGV[1])
write_record(KEYS[1], change)
return { 'written' }
