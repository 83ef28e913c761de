// One run: what it is of, how it went, and its output.
import {badge, isOver, runWord, words} from "./state.js";
import {duration, stamp} from "./time.js";
import {button, codes, facts, h, replace} from "./dom.js";
import {explain, manifest, may, trigger} from "./actions.js";
import {follow} from "./events.js";
import {get, jobPath, runPath} from "./api.js";
import {jobLink} from "./route.js";
import {logView} from "./log.js";
import {took} from "./runs.js";

const list = (title, items, show) => items?.length > 0 && h("section", {}, h("h2", {}, title),
  h("ul", {}, items.map((each) => h("li", {}, show(each)))));

const container = (it) => [h("strong", {}, it.name), ` ${it.state ?? ""} `, it.reason, " ",
  it.exit_code !== undefined && `exit code ${it.exit_code} `, it.restarts > 0 && `${it.restarts} restarts `,
  it.image && h("code", {}, it.image), it.message && h("small", {class: "why"}, it.message)];

const happening = (it) => [stamp(it.at), " ", h("strong", {}, it.reason), ` ${it.message ?? ""}`,
  it.count > 1 && ` (${it.count} times)`];

// How far a run that goes on is, by what its job's usually take.
const progress = (run) => !isOver(run) && run.started && h("progress", {class: "elapsed", value: 0,
  "aria-label": "of what it usually takes", "data-since": run.started.unix, max: run.usual_seconds});

const usual = (run) => run.usual_seconds > 0 && [duration(run.usual_seconds), " ", progress(run)];

const PATIENCE = 20000; // ms that a run which was just asked for may take to be there

// Asked for a moment ago, it may not be there yet: an event says when it is.
async function arrived(id, signal) {
  const end = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await get(runPath(id), {}, signal);
    } catch (error) {
      if (error.status !== 404 || performance.now() > end) throw error;
    }
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      follow((name, data) => { if (data.id === id) { clearTimeout(timer); resolve(); } }, signal);
    });
    signal.throwIfAborted();
  }
}

function head(run, job) {
  const owner = job ?? {namespace: run.namespace, name: run.job};
  const zone = job?.timezone;
  return [h("div", {class: "title"}, h("h1", {}, h("a", {href: jobLink(owner)}, run.job), " ",
    h("small", {}, run.id)), badge(runWord(run)),
  h("div", {class: "buttons"},
    job && may("trigger", job.may) && button("Run again…", () => trigger(job), {"data-action": "trigger"}),
    job && run.slot && button("Why?", () => explain(job, run.slot.unix)),
    job && run.slot && button("What was created", () => manifest(job, run.slot.unix)))),
  facts([["Slot", stamp(run.slot, zone)], ["Late", run.lateness > 0 && duration(run.lateness)],
    ["Trigger", run.trigger && words(run.trigger)], ["By", run.by], ["Asked for because", run.note],
    ["Attempt", run.attempt > 0 && String(run.attempt + 1)], ["Started", stamp(run.started, zone)],
    ["Finished", stamp(run.finished, zone)], ["Took", took(run)], ["Usually takes", usual(run)],
    ["Exit code", run.exit_code ?? null],
    ["Reason", run.reason], ["Message", run.message], ["Tried again", stamp(run.retry_at, zone)],
    ["Arguments", codes(run.args)],
    ["Node", run.node], ["Pod", run.pod !== run.id && run.pod]]), h("div", {class: "columns"},
    list("Containers", run.containers, container), list("Events", run.events, happening))];
}

export async function show(main, {parts: [, id]}, signal) {
  const place = h("div");
  let log = null;
  let job = null; // it may have left the schedule
  replace(main, h("h1", {}, id), h("p", {}, "Waiting for it to begin…"));

  function draw(run) {
    replace(place, head(run, job));
    if (!log) return;
    if (isOver(run)) log.over();
    else log.begin(true);
  }
  // Before it is asked for, so that nothing falls between.
  follow(async (name, data) => {
    if (!log || name !== "reset" && data.id !== id) return;
    const again = await get(runPath(id), {}, signal).catch(() => null);
    if (again) draw(again);
  }, signal);
  let run = await arrived(id, signal);
  job = await get(jobPath(run), {}, signal).catch(() => null);
  log = logView(run, signal);
  run = await get(runPath(id), {}, signal);
  replace(main, place, log.node);
  draw(run);
}
