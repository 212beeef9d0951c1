-- drop: deletes a key that still holds what it is thought to hold.
--
-- KEYS   [1] the key
-- ARGV   [1] its value
-- reply  1, or 0 if it holds something else

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
