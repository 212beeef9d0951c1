-- write-places: what follows from the change of a record on another slot. Whoever finds it undone does it, and it is done
-- once. audit.lua and places.lua stand in front of it.
--
-- KEYS   [1] a mark of this very change
--        [2] to [7] or [8] see places.lua
-- ARGV   see places.lua
-- reply  1, or 0 if it was done already

-- Longer than anybody who has found it undone can take to get here.
local MARK_SECONDS = 600

if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
put(2, write_down(2, place_of(2)))
redis.call('SET', KEYS[1], '', 'EX', MARK_SECONDS)
return 1
