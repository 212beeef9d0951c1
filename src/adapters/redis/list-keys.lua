-- list-keys: finds one page in the union of several lists of API keys, without walking to it.
--
-- KEYS   the lists: all by creation, or all by name; no member stands in two
-- ARGV   [1] order: created or name
--        [2] desc: pages are counted from the end; else asc
--        [3] offset: how many stand before the page
--        [4] how many a page holds
--        [5] prefix of the members; empty: all. Only by name
-- reply  { how many stand on all pages, then for every list what of it stands on this one, ascending: member, score, … }
--
-- A page begins and ends at a rank of the union. A cut there goes through every list at a place that only the others decide: it
-- is searched for by halving the longest stretch in which it may be, and counting what stands before the middle of that one.

local by_name, offset, size, prefix = ARGV[1] == 'name', tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]

-- A list's stretch of what is asked for: from rank `first`, `count` many. Its cut is at `low` … `high` of it.
local function stretch(key)
  local first, count = 0, nil
  if prefix == '' then
    count = redis.call('ZCARD', key)
  else
    first = redis.call('ZLEXCOUNT', key, '-', '(' .. prefix)
    -- UTF-8 has no byte 255: behind it comes nothing that begins with the prefix.
    count = redis.call('ZLEXCOUNT', key, '[' .. prefix, '(' .. prefix .. '\255')
  end
  return { key = key, first = first, count = count, low = 0, high = count }
end

local lists, total = {}, 0
for k = 1, #KEYS do
  lists[k] = stretch(KEYS[k])
  total = total + lists[k].count
end
if offset >= total then
  return { total }
end

-- How much of a list's stretch stands before a member of another, as far as its cut can be there.
local function before(list, member, score)
  local rank
  if by_name then
    rank = redis.call('ZLEXCOUNT', list.key, '-', '(' .. member)
  else
    rank = redis.call('ZCOUNT', list.key, '-inf', '(' .. score)
  end
  return math.max(list.low, math.min(rank - list.first, list.high))
end

local function longest()
  local found = lists[1]
  for k = 2, #lists do
    if lists[k].high - lists[k].low > found.high - found.low then
      found = lists[k]
    end
  end
  return found
end

-- Where the cuts can be by the lengths of the lists alone: with one list, that is the cut.
local function bound(target)
  local low, high = 0, 0
  for k = 1, #lists do
    low = low + lists[k].low
  end
  for k = 1, #lists do
    lists[k].high = math.min(lists[k].count, lists[k].low + target - low)
    high = high + lists[k].high
  end
  low = 0
  for k = 1, #lists do
    lists[k].low = math.max(lists[k].low, target - (high - lists[k].high))
    low = low + lists[k].low
  end
  return low
end

-- Moves `low` of every list to the cut that has `target` members before it. It must not be beyond that yet.
local function cut(target)
  local low = bound(target)
  while low < target do
    local list = longest()
    local middle = math.floor((list.low + list.high) / 2)
    local rank = list.first + middle
    local pivot = redis.call('ZRANGE', list.key, rank, rank, 'WITHSCORES')
    local cuts, sum = {}, 0
    for k = 1, #lists do
      cuts[k] = lists[k] == list and middle or before(lists[k], pivot[1], pivot[2])
      sum = sum + cuts[k]
    end
    for k = 1, #lists do
      lists[k][sum > target and 'high' or 'low'] = cuts[k]
    end
    if sum < target then
      -- The middle itself stands before the cut, too.
      list.low = middle + 1
      low = sum + 1
    elseif sum == target then
      low = sum
    end
  end
end

local held = math.min(size, total - offset)
local target = offset
if ARGV[2] == 'desc' then
  target = total - offset - held
end
local from = {}
cut(target)
for k = 1, #lists do
  from[k] = lists[k].low
end
cut(target + held)
local reply = { total }
for k = 1, #lists do
  local list, to = lists[k], lists[k].low - 1
  if to >= from[k] then
    reply[#reply + 1] = redis.call('ZRANGE', list.key, list.first + from[k], list.first + to, 'WITHSCORES')
  end
end
return reply
