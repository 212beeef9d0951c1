-- add-audit: adds an entry to the audit stream. audit.lua stands in front of it.
--
-- KEYS   [1] the audit stream
-- ARGV   [1] the entry
--        [2] how many entries are kept
-- reply  'added'

audit(KEYS[1], ARGV[1], ARGV[2])
return 'added'
