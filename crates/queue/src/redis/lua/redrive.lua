-- Makes an ended job available again. ARGV: now, id. Answers '' (no such job), 'now', a state letter (W: waiting), or
-- 'held' and the 16 bytes of the job that holds its unique key.
local id = ARGV[2]
local rec, m = call('HGET', J, id), call('HGET', M, id)
if not rec then return '' end
local state = m and sub(m, 1, 1) or 'W'
if not ENDED[state] then return state end
local unique = unique_of(rec)
if unique then
  local holder = holder_of(unique)
  if holder and holder ~= id then return 'held' .. holder end
  call('ZREM', UH, unique)
  take_unique(unique, id)
end
call('ZREM', ENDED[state], id)
if readable(rec) and byte(rec, 2) % 2 == 1 then
  call('HSET', J, id, sub(rec, 1, 1) .. char(byte(rec, 2) - 1) .. sub(rec, 3))
end
local tail = tail_of(m)
tail.unknown_since, tail.snoozed = nil, nil
call('HSET', M, id, head('W', 0, 0, 0, NO_TOKEN, 0, 0) .. written(tail))
make_available(id, priority_of(rec), now)
return 'now'
