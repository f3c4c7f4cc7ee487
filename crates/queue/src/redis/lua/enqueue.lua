-- Writes jobs. ARGV: now; how many plain jobs (due at once, no unique key, not remembered); id and record of each;
-- then for each other job six: id, record, due (0: at once), priority, once ('1' or ''), unique key.
-- Answers the duplicates only: the job's number (from 1, plain ones first) and the 16 bytes of the job that is there.
local answers, plain = {}, tonumber(ARGV[2])

-- Scores are written out once: turning a number into text costs more than the rest of a plain job.
local scores = {}
local function score_now(priority)
  local score = scores[priority]
  if not score then
    score = string.format('%.0f', priority * PRIORITY + now)
    scores[priority] = score
  end
  return score
end

-- 1. Plain jobs: the common case goes from ARGV into Redis without being looked at.
if plain > 0 then
  local ids, n = {}, 0
  for at = 3, 1 + plain * 2, 2 do
    n = n + 1
    ids[n] = ARGV[at]
  end
  local known, any, seen = call('HMGET', J, unpack(ids)), false, {}
  for i = 1, plain do
    local id = ids[i]
    if known[i] or seen[id] then any = true end
    seen[id] = true
  end
  local add = {}
  if not any then
    call('HSET', J, unpack(ARGV, 3, 2 + plain * 2))
    for i = 1, plain do
      add[i * 2 - 1] = score_now(priority_of(ARGV[2 + i * 2]))
      add[i * 2] = ids[i]
    end
  else
    local jobs, first = {}, {}
    for i = 1, plain do
      local id = ids[i]
      if known[i] or first[id] then
        answers[#answers + 1] = i
        answers[#answers + 1] = id
      else
        first[id] = true
        jobs[#jobs + 1] = id
        jobs[#jobs + 1] = ARGV[2 + i * 2]
        add[#add + 1] = score_now(priority_of(ARGV[2 + i * 2]))
        add[#add + 1] = id
      end
    end
    if #jobs > 0 then call('HSET', J, unpack(jobs)) end
  end
  if #add > 0 then
    call('ZADD', A, unpack(add))
    wake()
  end
end

-- 2. The others, each for itself.
local number, available, scheduled, soonest = plain, {}, {}, nil
for at = 3 + plain * 2, #ARGV, 6 do
  number = number + 1
  local id, rec, due, priority, once, unique =
    ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4], ARGV[at + 5]
  local holder = call('HEXISTS', J, id) == 1 and id
  if not holder and once == '1' then
    local until_then = call('ZSCORE', I, id)
    if until_then and tonumber(until_then) > now then
      holder = call('HGET', L, id) or id
    elseif until_then then
      call('HDEL', L, id)
    end
  end
  if not holder and unique ~= '' then
    holder = holder_of(unique)
    -- Whoever asks again is answered with this job again, when it has long ended and the key is free.
    if holder and once == '1' then
      call('ZADD', I, now + 86400000, id)
      call('HSET', L, id, holder)
    end
  end
  if holder then
    answers[#answers + 1] = number
    answers[#answers + 1] = holder
  else
    call('HSET', J, id, rec)
    if once == '1' then call('ZADD', I, now + 86400000, id) end
    if unique ~= '' then take_unique(unique, id) end
    if due <= now then
      available[#available + 1] = score_now(priority)
      available[#available + 1] = id
    else
      local score = due * 16 + priority
      scheduled[#scheduled + 1] = score
      scheduled[#scheduled + 1] = id
      if not soonest or score < soonest then soonest = score end
    end
  end
end
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
