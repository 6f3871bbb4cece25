// BullMQ with undici: `node bullmq.mjs fill URL COUNT EVENT` or `node bullmq.mjs work`.
import { Queue, Worker } from "bullmq";
import { Pool } from "undici";

const CONCURRENCY = 64; // tasks at a time in each process
const BATCH = 500;
const broker = new URL(process.env.BENCH_BROKER);
const connection = { host: broker.hostname, port: Number(broker.port), maxRetriesPerRequest: null };
const [what, address, count, event] = process.argv.slice(2);

if (what === "fill") {
  const queue = new Queue("post", { connection });
  const opts = {
    attempts: 10,
    backoff: { type: "exponential", delay: 1000 },
    removeOnComplete: true,
    removeOnFail: false,
  };
  const job = { name: "post", data: { url: address, event: JSON.parse(event) }, opts };
  for (let left = Number(count); left > 0; left -= BATCH) {
    await queue.addBulk(Array(Math.min(BATCH, left)).fill(job));
  }
  await queue.close();
} else {
  const pools = new Map();
  const post = async ({ data }) => {
    const { origin, pathname } = new URL(data.url);
    if (!pools.has(origin)) pools.set(origin, new Pool(origin, { connections: CONCURRENCY }));
    const answer = await pools.get(origin).request({
      path: pathname,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(data.event),
    });
    await answer.body.dump();
    if (answer.statusCode >= 300) throw new Error(`the receiver answered ${answer.statusCode}`);
  };
  new Worker("post", post, { connection, concurrency: CONCURRENCY });
}
