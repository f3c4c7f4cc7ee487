-- Shared by all scripts of a queue: it stands in front of each of them. The layout of the keys is told in ../mod.rs.
-- KEYS[1] is the queue's base, `prefix:{queue}:`; every other key is the base and one or two letters, so all of them
-- share the base's hash tag and with it its Cluster slot.
local base = KEYS[1]
local J, M, A, S, R = base .. 'j', base .. 'm', base .. 'a', base .. 's', base .. 'r'
local O, C, U, UH, I = base .. 'o', base .. 'c', base .. 'u', base .. 'uh', base .. 'i'
local L, Q, K, P, W, T = base .. 'l', base .. 'q', base .. 'k', base .. 'p', base .. 'w', base .. 't'
local ENDED = { D = base .. 'd', X = base .. 'x', E = base .. 'e' }
local call, byte, sub, char = redis.call, string.byte, string.sub, string.char
local pack, unpack8 = struct.pack, struct.unpack
local PRIORITY = 17592186044416 -- 2^44: a priority outweighs every due time in milliseconds
local BLANK = string.rep('\0', 28)

-- The one clock: Redis's own, unless a test passes another as ARGV[1].
local now
if ARGV[1] ~= '' then
  now = tonumber(ARGV[1])
else
  local t = call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end

-- The mutable part (m): 1 state W R C D X E, 2 flags (1 cancel requested, 2 leased alone), 3-4 attempt, 5 losses,
-- 6-13 token, 14-21 started, 22-29 ended, then JSON: errors, result, snoozed, unknown_since.
local function head(state, flags, attempt, losses, token, started, ended)
  return state .. pack('<BI2B', flags, attempt, losses) .. token .. pack('<i8i8', started, ended)
end
local NO_TOKEN = string.rep('\0', 8)
local function attempt_of(m) return byte(m, 3) + byte(m, 4) * 256 end
local function flag(m, bit_value) return math.floor(byte(m, 2) / bit_value) % 2 == 1 end

-- The fixed header of a record of version 1 (crates/job/src/wire.rs). Nothing is read of any other version.
local function readable(rec) return rec and #rec >= 40 and byte(rec, 1) == 1 end
local function priority_of(rec)
  if not readable(rec) then return 5 end
  local priority = byte(rec, 3)
  return priority <= 9 and priority or 9
end
local function expires_of(rec)
  if readable(rec) and byte(rec, 2) % 2 == 1 then return (unpack8('<i8', rec, 33)) end
end
local function run_at_of(rec) return readable(rec) and (unpack8('<i8', rec, 25)) or now end
local function unique_of(rec)
  if not readable(rec) or math.floor(byte(rec, 2) / 2) % 2 == 0 then return end
  local n = byte(rec, 41) -- a broken record may end here, or anywhere behind it
  if n and n > 0 and #rec >= 41 + n then return sub(rec, 42, 41 + n), (unpack8('<I4', rec, 13)) * 1000 end
end

-- A unique key is held by a live job (hold 0) or until a time after the job's end.
local function holder_of(key)
  local v = call('HGET', U, key)
  if not v then return nil end
  local hold = unpack8('<i8', v, 17)
  if hold == 0 or hold > now then return sub(v, 1, 16) end
end
local function take_unique(key, id) call('HSET', U, key, id .. pack('<i8', 0)) end
local function let_unique_go(key, id, hold_for)
  local v = call('HGET', U, key)
  if not v or sub(v, 1, 16) ~= id then return end
  if hold_for > 0 then
    call('HSET', U, key, id .. pack('<i8', now + hold_for))
    call('ZADD', UH, now + hold_for, key)
  else
    call('HDEL', U, key)
  end
end

-- Whoever found nothing to lease set W; whoever brings work clears it and calls.
local function wake()
  if call('DEL', W) == 1 then call('PUBLISH', base .. 'wake', '1') end
end
local function make_available(id, priority, due)
  call('ZADD', A, priority * PRIORITY + due, id)
  wake()
end

-- The JSON tail, for the paths that are not the common one.
local function tail_of(m)
  if m and #m > 29 then
    local is_json, tail = pcall(cjson.decode, sub(m, 30))
    if is_json and type(tail) == 'table' then return tail end
  end
  return {}
end
local function with_error(tail, attempt, text)
  local errors = tail.errors or {}
  errors[#errors + 1] = { attempt = attempt, at = now, error = text }
  while #errors > 10 do table.remove(errors, 1) end
  tail.errors = errors
  return tail
end
local function written(tail)
  if next(tail) == nil then return '' end
  return cjson.encode(tail)
end

-- The end of a job that did not complete: D dead, X cancelled, E expired.
local function end_job(id, rec, m, state, tail, unique, hold_for)
  local kept = m and sub(m, 3, 21) or sub(BLANK, 1, 19)
  call('HSET', M, id, state .. '\0' .. kept .. pack('<i8', now) .. written(tail))
  call('ZADD', ENDED[state], now, id)
  if not unique or unique == '' then unique, hold_for = unique_of(rec or call('HGET', J, id)) end
  if unique and unique ~= '' then let_unique_go(unique, id, hold_for) end
end

-- A suspect (two workers were lost with it) waits apart, whatever led it back to waiting.
local SUSPECT = 15 -- the place of a suspect among the priorities of a scheduled job
local function is_suspect(m) return byte(m, 5) >= 2 end
local function make_suspect_available(id, due)
  call('ZADD', O, due, id)
  wake()
end

-- Scheduled jobs that are due become available; the score of S is due * 16 + priority.
local function promote(limit)
  local due = call('ZRANGEBYSCORE', S, '-inf', now * 16 + 15, 'WITHSCORES', 'LIMIT', 0, limit)
  if #due == 0 then return 0 end
  local ids, add = {}, {}
  for i = 1, #due, 2 do
    local score = tonumber(due[i + 1])
    local priority = score % 16
    local at = (score - priority) / 16
    ids[#ids + 1] = due[i]
    if priority == SUSPECT then
      call('ZADD', O, at, due[i])
    else
      add[#add + 1] = priority * PRIORITY + at
      add[#add + 1] = due[i]
    end
  end
  call('ZREM', S, unpack(ids))
  if #add > 0 then call('ZADD', A, unpack(add)) end
  wake()
  return #ids
end
