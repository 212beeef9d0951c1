-- Stands in front of every script that changes an API key's record.
--
-- A change is given by arguments from ARGV[at] on:
--        version that the record must have; empty: there must be no record
--        hash of the key before this change; empty when there is none
--        how many fields of the record go, then their names; then, to the end, the fields that are set: name, value

-- What is to be written, or nothing if the record is not at that version.
local function change_of(record, at)
  local held = redis.call('HMGET', record, 'version', 'hash', 'hash_was')
  if (held[1] or '') ~= ARGV[at] then
    return nil
  end
  local change = { gone = {}, fields = {}, rotated_was = nil }
  local gone, fields = change.gone, change.fields
  for field = 1, tonumber(ARGV[at + 2]) do
    gone[field] = ARGV[at + 2 + field]
  end
  for arg = at + 3 + #gone, #ARGV, 2 do
    local field, value = ARGV[arg], ARGV[arg + 1]
    -- A decision may have replaced the hash, by the one under a newer secret, since the writer read it.
    if field == 'rotated' and value == ARGV[at + 1] then
      value = held[2] or value
      change.rotated_was = held[3]
    end
    if field == 'hash' then
      -- Of another key now: what the present one was under an older secret is its no more.
      gone[#gone + 1] = 'hash_was'
      gone[#gone + 1] = 'rotated_was'
    end
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  return change
end

local function write_record(record, change)
  redis.call('HSET', record, unpack(change.fields))
  if #change.gone > 0 then
    redis.call('HDEL', record, unpack(change.gone))
  end
  if change.rotated_was then
    redis.call('HSET', record, 'rotated_was', change.rotated_was)
  end
end
