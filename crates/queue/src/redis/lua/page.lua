-- Ids of one state's set, last first. ARGV: now, key letter, limit, then where to go on: score and id of the last job
-- that was shown ('' to begin), and for the completed, whose order is a list: '1' if others of the same time may follow.
-- Answers id, score, id, score …
local key, limit = base .. ARGV[2], tonumber(ARGV[3])

-- 1. The completed stand in the order in which they ended. Of the queue that showed the last job its place is known, of
--    the others it is found by time.
if ARGV[2] == 'c' then
  local function ended_of(m) return m and #m >= 29 and unpack8('<i8', m, 22) or 0 end
  local before = call('LLEN', key)
  if ARGV[4] ~= '' then
    local at = ARGV[5] ~= '' and call('LPOS', key, ARGV[5], 'RANK', -1, 'MAXLEN', 100000)
    if not at then
      local low, high, score = 0, before, tonumber(ARGV[4])
      while low < high do
        local middle = math.floor((low + high) / 2)
        local ended = ended_of(call('HGET', M, call('LINDEX', key, middle)))
        if ended < score or (ended == score and ARGV[6] == '1') then low = middle + 1 else high = middle end
      end
      at = low
    end
    before = at
  end
  if before == 0 then return {} end
  local ids, answer = call('LRANGE', key, math.max(before - limit, 0), before - 1), {}
  local ms = call('HMGET', M, unpack(ids))
  for i = #ids, 1, -1 do
    answer[#answer + 1] = ids[i]
    answer[#answer + 1] = string.format('%.0f', ended_of(ms[i]))
  end
  return answer
end

-- 2. In a sorted set the place of a job that has left, or never was here, is found by putting it in for a moment.
local start = 0
if ARGV[5] ~= '' then
  local score = call('ZSCORE', key, ARGV[5])
  if not score or tonumber(score) ~= tonumber(ARGV[4]) then
    call('ZADD', key, ARGV[4], ARGV[5])
    start = call('ZREVRANK', key, ARGV[5]) + 1
    local found = call('ZREVRANGE', key, start, start + limit - 1, 'WITHSCORES')
    if score then call('ZADD', key, score, ARGV[5]) else call('ZREM', key, ARGV[5]) end
    return found
  end
  start = call('ZREVRANK', key, ARGV[5]) + 1
end
return call('ZREVRANGE', key, start, start + limit - 1, 'WITHSCORES')
