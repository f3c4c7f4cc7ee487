-- Reserves a job id under an idempotency key. KEYS[1] is the base of one of 16 slots. ARGV: now, key, digest, id.
-- Answers 'new', 'conflict', or the 16 bytes of the id that the same payload was given before.
local values, expiries = base .. 'h', base .. 'z'
local old = call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 4)
if #old > 0 then
  call('HDEL', values, unpack(old))
  call('ZREM', expiries, unpack(old))
end
local v = call('HGET', values, ARGV[2])
if v and unpack8('<i8', v, 49) > now then
  if sub(v, 1, 32) ~= ARGV[3] then return 'conflict' end
  return sub(v, 33, 48)
end
call('HSET', values, ARGV[2], ARGV[3] .. ARGV[4] .. pack('<i8', now + 86400000))
call('ZADD', expiries, now + 86400000, ARGV[2])
return 'new'
