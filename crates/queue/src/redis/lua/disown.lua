-- Gives back what was leased under a token whose answer was lost, as if it had never been leased. ARGV: now, token,
-- where to begin among the running jobs, how many to look at. Answers how many were given back and how many were left
-- in place: where the next step begins.
local from, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local ids = call('ZRANGE', R, from, from + count - 1)
if #ids == 0 then return { 0, 0 } end
local ms, released = call('HMGET', M, unpack(ids)), 0
for i = 1, #ids do
  local id, m = ids[i], ms[i]
  if m and byte(m, 1) == 82 and sub(m, 6, 13) == ARGV[2] then
    released = released + 1
    call('ZREM', R, id)
    local rec, tail = call('HGET', J, id), tail_of(m)
    if flag(m, 1) then
      call('SREM', K, id)
      end_job(id, rec, m, 'X', tail)
    else
      local started = unpack8('<i8', m, 14)
      local spent = math.max(attempt_of(m) - 1, 0)
      call('HSET', M, id, head('W', 0, spent, byte(m, 5), NO_TOKEN, started, 0) .. written(tail))
      local due = math.min(run_at_of(rec), now)
      if is_suspect(m) then make_suspect_available(id, due) else make_available(id, priority_of(rec), due) end
    end
  end
end
return { released, #ids - released }
