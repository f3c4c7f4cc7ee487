-- Stops leasing from a queue. A script, because an operator pauses a queue above all when memory is full.
call('SET', P, '1')
return 'OK'
