// BullMQ as a peer.
//
//   node bullmq_peer.js enqueue N   puts N no-op jobs into the queue, in batches of 500; prints jobs a second
//   node bullmq_peer.js latency N   puts N stamped jobs into the queue at 100 a second
//   node bullmq_peer.js work        one worker process, 64 jobs at a time
//
// Finished jobs are removed, as most installations do: keeping them is slower.
'use strict';

const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');

const address = new URL(process.env.PEERS_REDIS);
const connection = { host: address.hostname, port: Number(address.port), maxRetriesPerRequest: null };
const forget = { removeOnComplete: true };
const BATCH = 500;

// The wall clock with microseconds: Date.now() alone is too coarse for waits below a millisecond.
const now = () => performance.timeOrigin + performance.now();
const until = (time) => new Promise((done) => setTimeout(done, Math.max(0, time - now())));

async function enqueue(count, name = 'noop', more = {}) {
  const queue = new Queue('peers', { connection });
  await queue.waitUntilReady();
  const began = now();
  for (let first = 0; first < count; first += BATCH) {
    const length = Math.min(BATCH, count - first);
    await queue.addBulk(Array.from({ length }, (_, i) => {
      const n = first + i;
      return { name, data: { n, to: `u${n}@example.com`, ...more }, opts: forget };
    }));
  }
  console.log(Math.round(count / ((now() - began) / 1000)));
  await queue.close();
}

async function latency(count) {
  const queue = new Queue('peers', { connection });
  await queue.waitUntilReady();
  const began = now();
  for (let n = 0; n < count; n++) {
    await until(began + n * 10);
    await queue.add('stamp', { sent: now() }, forget);
  }
  await queue.close();
}

async function work(run) {
  const worker = new Worker('peers', run, { connection, concurrency: 64, ...forget });
  worker.on('failed', (job, error) => console.error(error));
  process.on('SIGTERM', () => worker.close().finally(() => process.exit(0)));
}

async function noop() {
  const stamps = new Redis(connection);
  await work(async (job) => {
    if (job.name === 'stamp') await stamps.rpush('peers:waits', now() - job.data.sent);
  });
}

function main(calls) {
  const [what, count] = process.argv.slice(2);
  calls[what](Number(count)).then(() => what === 'work' || process.exit(0));
}

module.exports = { enqueue, main, work };
if (require.main === module) main({ enqueue, latency, work: noop });
