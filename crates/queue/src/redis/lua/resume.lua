-- Lifts a pause and calls whoever waits.
call('DEL', P)
wake()
return 'OK'
