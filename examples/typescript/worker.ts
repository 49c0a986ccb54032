/* A whole worker of fairclaim in TypeScript: node-postgres, and one call of SQL that settles, claims
   and says what to do next.

     cd examples/typescript && npm install
     DATABASE_URL=postgres://me@localhost/app npm start
*/

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Client } from "pg";

const WORKER = `${hostname()}:${process.pid}`; // best unique to the process
const QUEUES = ["default"];
const BATCH = 10; // jobs that one claim takes; here they run side by side
const LEASE = 30; // seconds that a claim is good for; longer jobs have it extended
const POLL = 30; // the longest sleep; a notification ends it earlier

type Job = { id: string; type: string; payload: any; attempts: number; lease_token: string };
type Ended = { job: Job; outcome: string; result?: string; error?: string };

const HANDLERS: Record<string, (payload: any) => Promise<unknown>> = {
  async welcome_mail({ user }) {
    if (user === undefined) throw new Error("the mail has no user");
    console.log(`welcome, user ${user}`);
    return { sent: true };
  },
  async read_attachment({ base64 }) {
    return Buffer.from(base64, "base64").toString();
  },
};

const CALL = `
  select * from fairclaim.settle_and_claim(
    p_worker_id => $1::text, p_ids => $2::uuid[], p_attempts => $3::int[], p_lease_tokens => $4::uuid[],
    p_outcomes => $5::text[], p_results => $6::text[], p_errors => $7::text[], p_delays => null,
    p_queues => $8::text[], p_limit => $9::int, p_types => $10::text[], p_lease => $11::float8,
    p_cursor => $12::text, p_lease_token => $13::uuid, p_idle_for => $14::float8, p_alone => $15::boolean)`;

let stopping = false;
// whether something has happened since the last call, and what ends a sleep
let [woken, wake] = [false, () => {}];
const rouse = () => ((woken = true), wake());

/** Runs one attempt. Result and error are texts of JSON. */
async function run(job: Job): Promise<Ended> {
  try {
    return {
      job,
      outcome: "complete",
      result: JSON.stringify((await HANDLERS[job.type](job.payload)) ?? null),
    };
  } catch (error) {
    // the server says when to try again, and fails the job when no attempt is left
    const message = String(error instanceof Error ? error.message : error).slice(0, 1000);
    return { job, outcome: "retry", error: JSON.stringify({ code: "handler", message }) };
  }
}

const columns = (jobs: Job[]) =>
  [
    jobs.map((job) => job.id),
    jobs.map((job) => job.attempts),
    jobs.map((job) => job.lease_token),
  ] as const;

/** What outlives a lost connection: attempts to settle, and claims without an answer. */
const kept = { ended: [] as Ended[], owed: new Map<string, number>() };

async function work(db: Client) {
  let cursor: string | null = null; // our place in the round of the tenants
  let alone = false;
  await db.query("listen fairclaim");
  while (!stopping || kept.ended.length > 0) {
    if (kept.owed.size > 0) {
      // such a claim may have happened: give back what it took, until its lease must be over
      await db.query("select from fairclaim.release_claims($1, $2::uuid[])", [
        WORKER,
        [...kept.owed.keys()],
      ]);
      for (const [token, until] of kept.owed)
        if (until < performance.now()) kept.owed.delete(token);
    }
    const [token, ended] = [randomUUID(), kept.ended];
    woken = false;
    kept.owed.set(token, performance.now() + (LEASE + 6) * 1000);
    const { rows } = await db.query(CALL, [
      WORKER,
      ...columns(ended.map((end) => end.job)),
      ended.map((end) => end.outcome),
      ended.map((end) => end.result),
      ended.map((end) => end.error),
      QUEUES,
      stopping ? 0 : BATCH,
      Object.keys(HANDLERS),
      LEASE,
      cursor,
      token,
      POLL,
      alone,
    ]);
    kept.owed.delete(token);
    kept.ended = [];
    const todo = rows.pop(); // the last row says what to do next
    cursor = todo.next_cursor;
    // a job that has killed two workers runs by itself, and every other claim is for the rest
    alone = todo.suspect_waiting && !alone;
    const jobs: Job[] = rows.filter((row) => row.kind === "claimed");
    const heart = setInterval(() => extend(db, jobs), todo.extend_in * 1000);
    kept.ended = await Promise.all(jobs.map(run));
    clearInterval(heart);
    const pause = Math.min(POLL, todo.next_claim_in, await maintain(db, todo));
    if (jobs.length === 0 && !alone && !stopping && !woken) {
      await new Promise<void>((resolve) => (setTimeout(resolve, pause * 1000), (wake = resolve)));
    }
  }
}

/** Keeps the leases of what runs, and hears which jobs are asked to stop. */
async function extend(db: Client, jobs: Job[]) {
  const sql = "select * from fairclaim.extend_leases($1, $2::uuid[], $3::int[], $4::uuid[], $5)";
  const answer = await db.query(sql, [WORKER, ...columns(jobs), LEASE]).catch(() => undefined);
  for (const row of answer?.rows ?? []) {
    // abort its handler here, if it can be
    if (row.cancel_requested) console.log(`job ${row.id} is asked to stop`);
  }
}

/** Does the maintenance that falls to this worker. Answers in how many seconds it is due again. */
async function maintain(
  db: Client,
  { tick_in, prune_due }: { tick_in: number; prune_due: boolean },
) {
  const row = async (sql: string) => (await db.query(sql)).rows[0];
  if (tick_in === 0) {
    const ticked = await row("select next_tick_in, prune_due from fairclaim.tick()");
    [tick_in, prune_due] = [ticked.next_tick_in, ticked.prune_due];
  }
  if (prune_due) {
    while ((await row("select ranges_dropped from fairclaim.drop_ranges()")).ranges_dropped > 0);
    while ((await row("select more from fairclaim.prune()")).more);
  }
  return tick_in;
}

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => ((stopping = true), rouse()));
while (!stopping || kept.ended.length > 0) {
  const db = new Client({ connectionString: process.env.DATABASE_URL });
  db.on("notification", rouse);
  db.on("error", rouse);
  try {
    await db.connect();
    await work(db);
  } catch (error) {
    console.log(`the database is away, or refused a call: ${error}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  await db.end().catch(() => undefined);
}
