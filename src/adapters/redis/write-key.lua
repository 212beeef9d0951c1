-- write-key: makes one change of an API key's record, with all that follows from it, or nothing. audit.lua, places.lua and
-- record.lua stand in front of it. A Cluster makes it in steps: write-record.lua and write-places.lua.
--
-- KEYS   [1] the record
--        [2] to [7] or [8] see places.lua
-- ARGV   [1] to [7] see places.lua
--        [8] and on: the change, see record.lua
-- reply  { 'written' }, { 'conflict' } or { 'repeated', the reply that was remembered }

if KEYS[8] then
  local remembered = redis.call('GET', KEYS[8])
  if remembered then
    return { 'repeated', remembered }
  end
end
local change = change_of(KEYS[1], 8)
if not change then
  return { 'conflict' }
end
local place = write_down(2, place_of(2))
write_record(KEYS[1], change)
put(2, place)
return { 'written' }
