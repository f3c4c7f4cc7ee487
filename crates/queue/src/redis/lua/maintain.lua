-- One bounded step of housekeeping. ARGV: now, lease ms, silence ms, limit, completed age, ended count, ended age (ms),
-- completed count. Answers: promoted, reaped, crashed, trimmed, more ('1' or ''), then ids with a cancel requested.
local lease, silence, left = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local reaped, crashed, trimmed, more = 0, 0, 0, false

-- 1. After a silence nobody could renew, so nobody is reaped for one lease time.
local t = call('HMGET', T, 'last', 'reap_after')
local last, reap_after = tonumber(t[1] or '-1'), tonumber(t[2] or '0')
if last < 0 or now - last > silence then
  reap_after = now + lease
  call('HSET', T, 'last', now, 'reap_after', reap_after)
elseif now ~= last then
  call('HSET', T, 'last', now)
end

-- 2. Due jobs.
local promoted = promote(left)
left = left - promoted

-- 3. Jobs of lost workers.
local lost = {}
if left > 0 and now >= reap_after then
  lost = call('ZRANGEBYSCORE', R, '-inf', '(' .. now, 'LIMIT', 0, math.min(left, 128))
  for i = 1, #lost do
    local id = lost[i]
    local rec, m = call('HGET', J, id), call('HGET', M, id)
    call('ZREM', R, id)
    if rec and m and byte(m, 1) == 67 then
      call('RPUSH', C, id) -- it completed, and the script that wrote so broke off before it was listed
    elseif rec and m and byte(m, 1) == 82 then
      reaped = reaped + 1
      local tail, losses, attempt = tail_of(m), math.min(byte(m, 5) + 1, 255), attempt_of(m)
      m = sub(m, 1, 4) .. char(losses) .. sub(m, 6)
      if flag(m, 1) then
        call('SREM', K, id)
        end_job(id, rec, m, 'X', tail)
      elseif flag(m, 2) then
        crashed = crashed + 1
        with_error(tail, attempt, 'crashed: ' .. losses .. ' workers were lost with it, the last one while it ran alone')
        end_job(id, rec, m, 'D', tail)
      else
        local started = unpack8('<i8', m, 14)
        call('HSET', M, id, head('W', 0, math.max(attempt - 1, 0), losses, NO_TOKEN, started, 0) .. written(tail))
        local due = math.min(run_at_of(rec), now)
        if losses >= 2 then
          make_suspect_available(id, due)
        else
          make_available(id, priority_of(rec), due)
        end
      end
    end
  end
  left = left - #lost
end

-- 4. What ended long ago.
local function drop(ids)
  call('HDEL', J, unpack(ids))
  call('HDEL', M, unpack(ids))
  trimmed = trimmed + #ids
  left = left - #ids
end
-- What is done makes room before anything is refused: no client is turned away for the sake of a history.
local function memory_is_nearly_full()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' then return false end -- this user may not ask
  local used, max = string.match(info, 'used_memory:(%d+)'), string.match(info, '\nmaxmemory:(%d+)')
  return used and max and tonumber(max) > 0 and tonumber(used) > tonumber(max) * 0.95
end
local kept = tonumber(ARGV[8])
local done = call('LLEN', C)
if done > 0 and memory_is_nearly_full() then kept = 0 end
local over = done - kept
if over > 0 and left > 0 then drop(call('LPOP', C, math.min(over, left))) end
if left > 0 then
  local oldest = call('LRANGE', C, 0, math.min(left, 128) - 1)
  if #oldest > 0 then
    local ms, old = call('HMGET', M, unpack(oldest)), 0
    for i = 1, #oldest do
      if ms[i] and unpack8('<i8', ms[i], 22) > now - tonumber(ARGV[5]) then break end
      old = i
    end
    if old > 0 then drop(call('LPOP', C, old)) end
  end
end
for _, key in pairs(ENDED) do
  local too_many = call('ZCARD', key) - tonumber(ARGV[6])
  if too_many > 0 and left > 0 then
    local ids = call('ZRANGE', key, 0, math.min(too_many, left) - 1)
    call('ZREM', key, unpack(ids))
    drop(ids)
  end
  if left > 0 then
    local ids = call('ZRANGEBYSCORE', key, '-inf', now - tonumber(ARGV[7]), 'LIMIT', 0, left)
    if #ids > 0 then
      call('ZREM', key, unpack(ids))
      drop(ids)
    end
  end
end

-- 5. Unique keys that were held after an end, ids and tokens that were remembered.
local holds = call('ZRANGEBYSCORE', UH, '-inf', now, 'LIMIT', 0, 128)
for i = 1, #holds do
  local v = call('HGET', U, holds[i])
  if v then
    local hold = unpack8('<i8', v, 17)
    if hold ~= 0 and hold <= now then call('HDEL', U, holds[i]) end
  end
end
if #holds > 0 then call('ZREM', UH, unpack(holds)) end
local once = call('ZRANGEBYSCORE', I, '-inf', now, 'LIMIT', 0, 128)
if #once > 0 then
  call('ZREM', I, unpack(once))
  call('HDEL', L, unpack(once))
end
local tokens = call('ZRANGEBYSCORE', Q, '-inf', now, 'LIMIT', 0, 512)
if #tokens > 0 then call('ZREM', Q, unpack(tokens)) end
more = left <= 0 or #holds == 128 or #once == 128 or #lost == 128 or #tokens == 512

local answer = { promoted, reaped, crashed, trimmed, more and '1' or '' }
local requested = call('SCARD', K) <= 512 and call('SMEMBERS', K) or call('SRANDMEMBER', K, 512)
for i = 1, #requested do answer[5 + i] = requested[i] end
return answer
