-- Reads jobs as they are. ARGV: now, ids. Answers for each: record or nil, mutable part or '', and where a waiting job
-- stands: the scores in available, scheduled, suspects ('' where it is not).
local answer = {}
for i = 2, #ARGV do
  local id, n = ARGV[i], #answer
  answer[n + 1] = call('HGET', J, id)
  answer[n + 2] = call('HGET', M, id) or ''
  answer[n + 3] = call('ZSCORE', A, id) or ''
  answer[n + 4] = call('ZSCORE', S, id) or ''
  answer[n + 5] = call('ZSCORE', O, id) or ''
end
return answer
