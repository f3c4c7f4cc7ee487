-- Forgets idempotency keys whose day is over. KEYS[1] is the base of one of 16 slots. ARGV: now. Answers how many.
local values, expiries = base .. 'h', base .. 'z'
local old = call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 256)
if #old > 0 then
  call('HDEL', values, unpack(old))
  call('ZREM', expiries, unpack(old))
end
return #old
