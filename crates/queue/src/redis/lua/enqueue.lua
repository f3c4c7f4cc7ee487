-- Writes jobs. ARGV: now, then for each job: id, record, due (0: at once), priority, once ('1' or ''), unique key.
-- Answers for each job '' (written) or the 16 bytes of the job that is there already.
local answers, ids = {}, {}
for i = 2, #ARGV, 6 do ids[#ids + 1] = ARGV[i] end
if #ids == 0 then return answers end
local known = call('HMGET', J, unpack(ids))
local seen, jobs, available, scheduled, soonest = {}, {}, {}, {}, nil
for n = 1, #ids do
  local at = 2 + (n - 1) * 6
  local id, rec, due, priority, once, unique = ids[n], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5]
  local holder = (known[n] or seen[id]) and id
  if not holder and once == '1' then
    local until_then = call('ZSCORE', I, id)
    if until_then and tonumber(until_then) > now then holder = id end
  end
  if not holder and unique ~= '' then holder = holder_of(unique) end
  if holder then
    answers[n] = holder
  else
    answers[n] = ''
    seen[id] = true
    jobs[#jobs + 1] = id
    jobs[#jobs + 1] = rec
    if once == '1' then call('ZADD', I, now + 86400000, id) end
    if unique ~= '' then take_unique(unique, id) end
    if due <= now then
      available[#available + 1] = priority * PRIORITY + now
      available[#available + 1] = id
    else
      local score = due * 16 + priority
      scheduled[#scheduled + 1] = score
      scheduled[#scheduled + 1] = id
      if not soonest or score < soonest then soonest = score end
    end
  end
end
if #jobs > 0 then call('HSET', J, unpack(jobs)) end
if #available > 0 then
  call('ZADD', A, unpack(available))
  wake()
end
if #scheduled > 0 then
  -- A worker that sleeps until the next due time must hear of an earlier one.
  local first = call('ZRANGE', S, 0, 0, 'WITHSCORES')
  call('ZADD', S, unpack(scheduled))
  if #first == 0 or soonest < tonumber(first[2]) then wake() end
end
return answers
