// What a person can order, each behind a form that says what it will do. Each resolves to what was done, or null when
// it was given up.
import {ask, tell} from "./dialog.js";
import {get, jobPath, newKey, post, Refused, remove} from "./api.js";
import {go, runLink} from "./route.js";
import {h, say} from "./dom.js";
import {stamp, MINE} from "./time.js";

const forbidden = new Set();
const REASON = {name: "reason", label: "Reason", hint: "The log, the audit and other people will see it."};

// Whether this may be ordered. rights: what the API says of it; where it says nothing, what was forbidden once is
// offered no more.
export const may = (action, rights) => rights ? rights.includes(action) : !forbidden.has(action);

// What is refused as forbidden is not offered again.
export async function order(action, path, body, headers, send = post) {
  try {
    return await send(path, body, headers);
  } catch (error) {
    if (error instanceof Refused && error.status === 403) {
      forbidden.add(action);
      document.dispatchEvent(new Event("forbidden"));
    }
    throw error;
  }
}

export async function trigger(job) {
  const key = newKey(); // however often the button is pressed, it is one run
  const done = await ask({
    title: `Run ${job.name} now`, action: "Run",
    body: h("p", {}, "It starts under the job's overlap rule, beside the runs of its slots."),
    fields: [
      {name: "args", label: "Arguments, one a line", type: "lines", value: job.args?.join("\n"),
        hint: "Empty: those of the job."},
      REASON,
    ],
    run: (values) => order("trigger", jobPath(job, "/trigger"), values, {"Idempotency-Key": key}),
  });
  if (done) go(runLink(done.run));
  return done;
}

export async function suspend(job) {
  const done = await ask({
    title: `Suspend ${job.name}`, action: "Suspend",
    body: h("p", {}, "Its slots are skipped. What runs goes on, and it can still be run by hand."),
    fields: [{name: "until", label: "Until", type: "end"}, REASON],
    run: (values) => order("suspend", jobPath(job, "/suspend"), values),
  });
  if (done) say(`${job.name} is suspended`);
  return done;
}

// An order that needs no form.
async function atOnce(action, path, told, send = post) {
  try {
    const done = await order(action, path, {}, {}, send);
    say(told);
    return done;
  } catch (error) {
    say(error.message, "bad");
    return null;
  }
}

export const resume = (job) =>
  atOnce("resume", jobPath(job, "/resume"), `${job.name} runs again from its next slot on`);
export const unpause = () => atOnce("pause", "unpause", "jobs run again from their next slots on");
export const unsilence = (job) => atOnce("silence", jobPath(job, "/unsilence"), `${job.name} alerts again`);

export const cancelBackfill = (it) =>
  atOnce("backfill", `backfills/${encodeURIComponent(it.id)}`, "no more of its slots are started", remove);

export async function silence(job) {
  const done = await ask({
    title: `Silence ${job.name}`, action: "Silence",
    body: h("p", {}, "No alerts of it until the end; what is still wrong then is sent."),
    fields: [{name: "until", label: "Until", type: "end", required: true}, {...REASON, required: true}],
    run: (values) => order("silence", jobPath(job, "/silence"), values),
  });
  if (done) say(`${job.name} is silent`);
  return done;
}

export async function pause(count) {
  const done = await ask({
    title: "Pause all jobs", action: "Pause all", danger: true,
    body: h("p", {}, `No slot of any of the ${count} jobs runs until the end that you give. What runs goes on.`),
    fields: [{name: "until", label: "Until", type: "end", required: true}, {...REASON, required: true},
      {name: "count", label: `Type ${count} to confirm`, required: true, pattern: String(count)}],
    run: ({until, reason}) => order("pause", "pause", {until, reason}),
  });
  if (done) say("all jobs are paused");
  return done;
}

// First how many, then the order.
export async function backfill(job) {
  let asked;
  const counted = await ask({
    title: `Run past slots of ${job.name}`, action: "Count them",
    body: h("p", {}, `Each slot after the first time, up to the second, runs once, oldest first. Times are ${MINE}.`),
    fields: [{name: "from", label: "After", type: "moment", required: true},
      {name: "to", label: "Up to", type: "moment", required: true},
      {name: "parallel", label: "At once", type: "number", value: 1, min: 1, max: 100, required: true}, REASON],
    run: (values) => {
      asked = values;
      return order("backfill", jobPath(job, "/backfill"), {...values, dryRun: true});
    },
  });
  if (!counted) return null;
  const total = counted.total;
  if (!total) return tell("Nothing to run", h("p", {}, "No slot of the job lies between these times."));
  const done = await ask({
    title: `Run ${total} past slots of ${job.name}`, action: `Run ${total}`, danger: true,
    body: h("p", {}, "After ", stamp(asked.from, job.timezone), ", up to ", stamp(asked.to, job.timezone), "."),
    fields: [{name: "count", label: `Type ${total} to confirm`, required: true, pattern: String(total)}],
    run: () => order("backfill", jobPath(job, "/backfill"), {...asked, max: total}),
  });
  if (done) say(`${total} past slots of ${job.name} will run`);
  return done;
}

// Why a slot ran, or did not.
export async function explain(job, slot) {
  try {
    const answer = await get(jobPath(job, "/explain"), {slot});
    return await tell(`${job.name}: ${answer.verdict}`, h("p", {}, stamp(slot, job.timezone)), h("p", {}, answer.text));
  } catch (error) {
    return say(error.message, "bad");
  }
}

export async function manifest(job, slot) {
  try {
    const answer = await get(jobPath(job, "/manifest"), {slot});
    const shown = h("pre", {class: "manifest", tabindex: 0}, JSON.stringify(answer, null, 2));
    return await tell(`${job.name}: what is created`, shown);
  } catch (error) {
    return say(error.message, "bad");
  }
}
