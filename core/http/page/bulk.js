// Orders for many jobs: those that are ticked, or all that the filter finds. The server is told how many were meant,
// and does nothing when it finds another number.
import {ask} from "./dialog.js";
import {button, h, replace, say} from "./dom.js";
import {may, order} from "./actions.js";
import {newKey} from "./api.js";

const ORDERS = [["suspend", "Suspend"], ["resume", "Resume"], ["trigger", "Run now"], ["silence", "Silence"],
  ["unsilence", "End silence"]];

async function orderMany(action, label, target, count, sample) {
  const key = newKey();
  const silence = action === "silence";
  const fields = [];
  if (silence || action === "suspend") fields.push({name: "until", label: "Until", type: "end", required: silence});
  if (!["resume", "unsilence"].includes(action)) fields.push({name: "reason", label: "Reason", required: silence});
  fields.push({name: "count", label: `Type ${count} to confirm`, required: true, pattern: String(count)});
  const done = await ask({
    title: `${label}: ${count} jobs`, action: `${label} ${count} jobs`, danger: true, fields,
    body: h("p", {class: "why"}, sample.join(", "), count > sample.length && ` and ${count - sample.length} more`),
    run: ({until, reason}) => order(action, "bulk", {...target, action, until, reason, expect: count},
      {"Idempotency-Key": key}),
  });
  if (!done) return;
  const [first] = done.failed;
  say(`${label}: ${count - done.failed.length} of ${count} jobs` + (first ? `; ${first.job}: ${first.message}` : ""),
    first ? "bad" : "note");
}

// filter(): what the list shows now
export function bulk(filter) {
  const bar = h("div", {class: "bulk", hidden: true, role: "region", "aria-label": "Selected jobs"});
  const picked = new Map();
  let total = 0; // that the filter finds
  let shown = [];
  let all = false;

  const jobs = (count) => count === 1 ? "1 job" : `${count} jobs`;
  const names = () => all ? shown.map((job) => job.name) : [...picked.values()].map((job) => job.name);
  function run(action, label) {
    const count = all ? total : picked.size;
    const target = all ? {filter: filter()} : {jobs: [...picked.keys()]};
    return orderMany(action, label, target, count, names().slice(0, 10));
  }
  function draw() {
    const count = all ? total : picked.size;
    bar.hidden = !count;
    replace(bar, h("strong", {}, jobs(count)),
      !all && total > picked.size && button(`All ${total} that match`, () => { all = true; draw(); }),
      ORDERS.map(([action, label]) => may(action) && button(`${label}…`, () => run(action, label))),
      button("Clear", () => { all = false; picked.clear(); draw(); untick(); }));
  }
  function untick() {
    for (const box of document.querySelectorAll("td.pick input")) box.checked = false;
  }
  return {
    bar,
    has: (job) => picked.has(`${job.namespace}/${job.name}`),
    set(job, on) {
      const key = `${job.namespace}/${job.name}`;
      all = false;
      if (on) picked.set(key, job);
      else picked.delete(key);
      draw();
    },
    known(page) {
      total = page.metadata.total ?? page.items.length + (page.metadata.remainingItemCount ?? 0);
      shown = page.items;
      draw();
    },
  };
}
