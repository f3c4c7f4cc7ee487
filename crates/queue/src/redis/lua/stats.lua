-- Counts. Answers: scheduled, available, running, completed, dead, cancelled, expired, ms since the oldest due job
-- was due (-1: none), paused.
local oldest = -1
for priority = 0, 9 do
  local first = call('ZRANGEBYSCORE', A, priority * PRIORITY, '(' .. ((priority + 1) * PRIORITY), 'WITHSCORES', 'LIMIT', 0, 1)
  if #first > 0 then oldest = math.max(oldest, now - (tonumber(first[2]) - priority * PRIORITY), 0) end
end
local suspect = call('ZRANGE', O, 0, 0, 'WITHSCORES')
if #suspect > 0 then oldest = math.max(oldest, now - tonumber(suspect[2]), 0) end
return {
  call('ZCARD', S), call('ZCARD', A) + call('ZCARD', O), call('ZCARD', R), call('LLEN', C),
  call('ZCARD', ENDED.D), call('ZCARD', ENDED.X), call('ZCARD', ENDED.E), oldest, call('EXISTS', P),
}
