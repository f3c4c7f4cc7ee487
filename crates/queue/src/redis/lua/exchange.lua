-- Finishes jobs and leases others. ARGV: 1 now, 2 plain completions (24 bytes each: id, token), 3 how many to lease,
-- 4 token, 5 worker, 6 idle ('1' or ''), 7 lease ms, 8 completed jobs kept, 9 until when the caller listens ('' for ever),
-- 10 how many ms the token is remembered ('' for none: this call can arrive only once), then for each other finish nine:
-- id, token, code, delay ms, priority, text, unique key, unique_for ms, unknown_since.
-- Answers: now, plain results ('' if all are done, else a character each), other results, expired, solo (3: this call was
-- carried out before), next due or -1, then id, record, mutable part (as it was before the lease) of each job that was leased, and its solo flag first.
local completed = {}

-- 1. Plain completions: the common end, without JSON.
local plain, plain_results = ARGV[2], ''
local count = #plain / 24
if count > 0 then
  local ids, tokens = {}, {}
  for i = 1, count do
    local at = (i - 1) * 24
    ids[i] = sub(plain, at + 1, at + 16)
    tokens[i] = sub(plain, at + 17, at + 24)
  end
  local ms = call('HMGET', M, unpack(ids))
  local set, ended, results, all, done, once = {}, pack('<i8', now), {}, true, 0, {}
  for i = 1, count do
    local id, m = ids[i], ms[i]
    if m and byte(m, 1) == 82 and sub(m, 6, 13) == tokens[i] and not once[id] then
      once[id] = true
      done = done + 1
      completed[done] = id
      set[done * 2 - 1], set[done * 2] = id, 'C\0' .. sub(m, 3, 21) .. ended .. sub(m, 30)
      results[i] = '1'
      if byte(m, 2) ~= 0 and flag(m, 1) then call('SREM', K, id) end
    else
      results[i] = '0'
      all = false
    end
  end
  if #set > 0 then call('HSET', M, unpack(set)) end
  if not all then plain_results = table.concat(results) end
end

-- 2. The other ends, each for itself.
local other_results = {}
for at = 11, #ARGV, 9 do
  local id, token, code, delay, priority, text, unique, hold_for, since =
    ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), ARGV[at + 5], ARGV[at + 6], tonumber(ARGV[at + 7]), ARGV[at + 8]
  local m = call('HGET', M, id)
  if not m or byte(m, 1) ~= 82 or sub(m, 6, 13) ~= token then
    other_results[#other_results + 1] = '0'
  else
    other_results[#other_results + 1] = '1'
    local tail, attempt = tail_of(m), attempt_of(m)
    tail.unknown_since = nil
    local cancelled = flag(m, 1)
    if cancelled then call('SREM', K, id) end
    if cancelled and (code == 'retry' or code == 'snooze' or code == 'release') then code = 'cancelled' end
    if code == 'completed' then
      tail.result = text ~= '' and text or nil
      call('HSET', M, id, 'C\0' .. sub(m, 3, 21) .. pack('<i8', now) .. written(tail))
      completed[#completed + 1] = id
      if unique ~= '' then let_unique_go(unique, id, hold_for) end
    elseif code == 'dead' or code == 'cancelled' or code == 'expired' then
      call('ZREM', R, id)
      if code == 'dead' then with_error(tail, attempt, text) end
      local state = code == 'dead' and 'D' or code == 'cancelled' and 'X' or 'E'
      end_job(id, nil, m, state, tail, unique, hold_for)
    else
      call('ZREM', R, id)
      local spent = attempt
      if code == 'retry' then
        with_error(tail, attempt, text)
      else
        spent = math.max(attempt - 1, 0)
        if code == 'snooze' then
          tail.snoozed = text
          tail.unknown_since = since ~= '' and tonumber(since) or nil
        end
      end
      local started, _ = unpack8('<i8', m, 14)
      call('HSET', M, id, head('W', 0, spent, byte(m, 5), NO_TOKEN, started, 0) .. written(tail))
      local due = now + delay
      if delay <= 0 then
        if code == 'release' then due = math.min(now, run_at_of(call('HGET', J, id))) end
        if is_suspect(m) then make_suspect_available(id, due) else make_available(id, priority, due) end
      else
        local first = call('ZRANGE', S, 0, 0, 'WITHSCORES')
        local score = due * 16 + (is_suspect(m) and SUSPECT or priority)
        call('ZADD', S, score, id)
        if #first == 0 or score < tonumber(first[2]) then wake() end
      end
    end
  end
end

-- 3. Completed jobs leave R, are listed as completed, and the oldest beyond the bound go for good.
if #completed > 0 then
  call('ZREM', R, unpack(completed))
  local over = call('RPUSH', C, unpack(completed)) - tonumber(ARGV[8])
  if over > 0 then
    local gone = call('LPOP', C, math.min(over, 512))
    call('HDEL', J, unpack(gone))
    call('HDEL', M, unpack(gone))
  end
end

-- 4. Lease.
local wanted, token, worker, idle, lease = tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6] == '1', tonumber(ARGV[7])
local answer = { now, plain_results, table.concat(other_results), 0, 0, -1 }
if wanted <= 0 then return answer end
-- A call that lay in a socket while nothing ran: its caller has given it up, and what it leased would wait for the reaper.
if ARGV[9] ~= '' and now > tonumber(ARGV[9]) then return answer end
-- A Cluster's client sends a call again whose connection was lost. The first copy leased under this token already.
if ARGV[10] ~= '' and call('ZADD', Q, 'NX', now + tonumber(ARGV[10]), token) == 0 then
  answer[5] = 3
  return answer
end
if call('EXISTS', P) == 1 then
  call('SET', W, '1')
  return answer
end
local expires, started = now + lease, pack('<i8', now)

local function lease_again(m, flags)
  return 'R' .. char(flags) .. pack('<I2', attempt_of(m) + 1) .. sub(m, 5, 5) .. token .. started .. sub(m, 22, 29) .. sub(m, 30)
end

-- Suspects go alone to a worker that holds nothing; one worker is asked to make room. A worker of number 0 declines.
if call('ZCARD', O) > 0 then
  if idle then
    local id = call('ZPOPMIN', O)[1]
    local rec, m = call('HGET', J, id), call('HGET', M, id)
    local at = expires_of(rec)
    if at and at <= now then
      end_job(id, rec, m, 'E', tail_of(m))
      answer[4] = 1
    elseif rec and m then
      call('HSET', M, id, lease_again(m, 2))
      call('ZADD', R, expires, id)
      call('HDEL', T, 'chosen', 'chosen_until')
      answer[7], answer[8], answer[9], answer[10] = 1, id, rec, m
      return answer
    end
  else
    local chosen = call('HMGET', T, 'chosen', 'chosen_until')
    if worker ~= NO_TOKEN and (not chosen[1] or chosen[1] == worker or tonumber(chosen[2]) <= now) then
      call('HSET', T, 'chosen', worker, 'chosen_until', now + 30000)
      answer[5] = 2
      return answer
    end
    answer[5] = 1
  end
end

-- An answer is bounded by bytes, too: what is beyond goes back to where it stood, and the caller asks again.
local ENOUGH = 8 * 1024 * 1024
promote(wanted)
local popped = call('ZPOPMIN', A, wanted)
local leased = 0
if #popped > 0 then
  local ids = {}
  for i = 1, #popped, 2 do ids[#ids + 1] = popped[i] end
  local fresh = 'R\0\1\0\0' .. token .. started .. sub(BLANK, 1, 8)
  local until_then = string.format('%.0f', expires) -- once: turning a number into text is dear
  local set, running, size, bytes, at_end = {}, {}, 7, 0, 0
  answer[7] = 0
  while at_end < #ids and bytes < ENOUGH do
    local first = at_end + 1
    at_end = math.min(at_end + 32, #ids)
    local recs, ms = call('HMGET', J, unpack(ids, first, at_end)), call('HMGET', M, unpack(ids, first, at_end))
    for i = 1, #recs do
      local id, rec, m = ids[first + i - 1], recs[i], ms[i]
      if m and #m < 29 then m = nil end -- a foreign hand
      local at = rec and byte(rec, 2) and byte(rec, 2) % 2 == 1 and expires_of(rec)
      if at and at <= now then
        end_job(id, rec, m, 'E', tail_of(m))
        answer[4] = answer[4] + 1
      elseif rec then
        leased = leased + 1
        bytes = bytes + #rec
        local pair = leased * 2
        set[pair - 1], set[pair] = id, m and lease_again(m, 0) or fresh
        running[pair - 1], running[pair] = until_then, id
        answer[size + 1], answer[size + 2], answer[size + 3] = id, rec, m or ''
        size = size + 3
        if bytes >= ENOUGH then
          at_end = first + i - 1
          break
        end
      end
    end
  end
  if at_end < #ids then
    local back = {}
    for i = at_end + 1, #ids do
      back[#back + 1], back[#back + 2] = popped[i * 2], popped[i * 2 - 1]
    end
    call('ZADD', A, unpack(back))
  end
  if leased > 0 then
    call('HSET', M, unpack(set))
    call('ZADD', R, unpack(running))
  end
end
if leased < wanted then
  call('SET', W, '1')
  local first = call('ZRANGE', S, 0, 0, 'WITHSCORES')
  if #first > 0 then answer[6] = math.floor(tonumber(first[2]) / 16) end
  if call('ZCARD', A) > 0 then answer[6] = now end
end
return answer
