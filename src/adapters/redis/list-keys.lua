-- list-keys: one page of a list of API keys, by rank, so that every page costs the same.
--
-- KEYS   [1] the list
-- ARGV   [1] offset: how many stand before the page
--        [2] how many a page holds
--        [3] desc: from the end; else asc
--        [4] prefix of the members; empty: all. Only in lists by name
-- reply  { how many stand in all pages, members of this one }

local offset, size, prefix = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4]
local card = redis.call('ZCARD', KEYS[1])
local before, total = 0, card
if prefix ~= '' then
  -- UTF-8 has no byte 255: behind it comes nothing that begins with the prefix.
  before = redis.call('ZLEXCOUNT', KEYS[1], '-', '(' .. prefix)
  total = redis.call('ZLEXCOUNT', KEYS[1], '[' .. prefix, '(' .. prefix .. '\255')
end
if offset >= total then
  return { total, {} }
end
local command, from = 'ZRANGE', before + offset
if ARGV[3] == 'desc' then
  command, from = 'ZREVRANGE', card - before - total + offset
end
local to = from + math.min(size, total - offset) - 1
return { total, redis.call(command, KEYS[1], from, to) }
