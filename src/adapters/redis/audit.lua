-- Stands in front of every script that adds to the audit stream.
--
-- Entries are numbered without gaps, <n>-0, so that a page of them is a range of ids. The number is the stream's own
-- memory: a counter beside it could be lost and then refuse every write.

local function audit(stream, entry, entries_max)
  local last = '0-0'
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for at = 1, #info, 2 do
      if info[at] == 'last-generated-id' then
        last = info[at + 1]
      end
    end
  end
  local number = tonumber(string.match(last, '^%d+')) + 1
  redis.call('XADD', stream, 'MAXLEN', '=', entries_max, string.format('%.0f-0', number), 'entry', entry)
end
