-- Writes as an enqueue does, and so is refused where an enqueue would be: a full memory, a replica.
call('SET', base .. 'n', now)
return 'OK'
