-- Ids of one state's set, last first. ARGV: now, key letter, limit, then where to go on: score and id of the last job
-- that was shown ('' to begin). Answers id, score, id, score …
-- The place of a job that has left meanwhile is found by putting it back for a moment.
local key, limit = base .. ARGV[2], tonumber(ARGV[3])
if ARGV[2] == 'c' then
  local from = -1
  if ARGV[5] ~= '' then
    local at = call('LPOS', key, ARGV[5], 'RANK', -1, 'MAXLEN', 100000)
    if not at then return {} end
    from = at - call('LLEN', key) - 1
    if at == 0 then return {} end
  end
  local ids, answer = call('LRANGE', key, from - limit + 1, from), {}
  for i = #ids, 1, -1 do
    answer[#answer + 1] = ids[i]
    answer[#answer + 1] = '0'
  end
  return answer
end
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
