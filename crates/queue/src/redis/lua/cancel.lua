-- Cancels a job. ARGV: now, id. Answers '' (no such job), 'now', 'asked', or the state letter it ended in.
local id = ARGV[2]
local rec, m = call('HGET', J, id), call('HGET', M, id)
if not rec then return '' end
local state = m and sub(m, 1, 1) or 'W'
if state == 'R' then
  call('HSET', M, id, sub(m, 1, 1) .. char(byte(m, 2) + (flag(m, 1) and 0 or 1)) .. sub(m, 3))
  call('SADD', K, id)
  return 'asked'
elseif state ~= 'W' then
  return state
end
call('ZREM', A, id)
call('ZREM', S, id)
call('ZREM', O, id)
end_job(id, rec, m, 'X', tail_of(m))
return 'now'
