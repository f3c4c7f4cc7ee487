# Sidekiq as a peer.
#
#   ruby sidekiq_peer.rb enqueue N   puts N no-op jobs into the queue, in batches of 500; prints jobs a second
#   ruby sidekiq_peer.rb latency N   puts N stamped jobs into the queue at 100 a second
#   sidekiq -r ./sidekiq_peer.rb -c 10   one worker process
#
# The free Sidekiq takes a job off the list before it runs it: a killed process loses what it ran. It is measured all the
# same, as the fastest that gives that up.

require "sidekiq"

URL = ENV.fetch("PEERS_REDIS")
BATCH = 500

# Says nothing about the newer answer of SADD, once for each call.
Redis.sadd_returns_boolean = false if Redis.respond_to?(:sadd_returns_boolean=)

Sidekiq.configure_server do |config|
  config.redis = { url: URL }
  config.logger.level = Logger::ERROR
end
Sidekiq.configure_client { |config| config.redis = { url: URL } }

class Noop
  include Sidekiq::Worker
  def perform(n, to); end
end

class Stamp
  include Sidekiq::Worker
  def perform(sent)
    waited = (Time.now.to_f - sent) * 1000
    Sidekiq.redis { |redis| redis.rpush("peers:waits", waited.to_s) }
  end
end

def elapsed = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def enqueue(count)
  began = elapsed
  (0...count).each_slice(BATCH) do |slice|
    Sidekiq::Client.push_bulk("class" => Noop, "args" => slice.map { |n| [n, "u#{n}@example.com"] })
  end
  puts (count / (elapsed - began)).round
end

def latency(count)
  began = elapsed
  count.times do |n|
    sleep([0, began + n / 100.0 - elapsed].max)
    Stamp.perform_async(Time.now.to_f)
  end
end

if __FILE__ == $PROGRAM_NAME
  ARGV[0] == "enqueue" ? enqueue(ARGV[1].to_i) : latency(ARGV[1].to_i)
end
