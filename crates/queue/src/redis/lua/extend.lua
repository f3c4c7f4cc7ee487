-- Renews leases. ARGV: now, lease ms, then id and token of each. Answers a character each: 0 lost, 1 renewed,
-- 2 renewed and to be cancelled. An expired lease that nobody reaped yet is renewed like any other.
local ids, answers, again = {}, {}, {}
for i = 3, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
if #ids == 0 then return '' end
local ms = call('HMGET', M, unpack(ids))
for n = 1, #ids do
  local m = ms[n]
  if m and byte(m, 1) == 82 and sub(m, 6, 13) == ARGV[2 + n * 2] then
    answers[n] = flag(m, 1) and '2' or '1'
    again[#again + 1] = now + tonumber(ARGV[2])
    again[#again + 1] = ids[n]
  else
    answers[n] = '0'
  end
end
if #again > 0 then call('ZADD', R, unpack(again)) end
return table.concat(answers)
