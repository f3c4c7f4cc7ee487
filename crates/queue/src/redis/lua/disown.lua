-- Gives back what was leased under a token whose answer was lost, as if it had never been leased. ARGV: now, token,
-- where the walk through the running jobs stands (0 to begin), how many to look at. Answers how many were given back and
-- where the walk goes on (0: nowhere). It is a ZSCAN: no renewal can move a job out of its way.
local found, ids = call('ZSCAN', R, ARGV[3], 'COUNT', ARGV[4]), {}
for i = 1, #found[2], 2 do ids[#ids + 1] = found[2][i] end
if #ids == 0 then return { 0, found[1] } end
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
return { released, found[1] }
