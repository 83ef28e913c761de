// One job: when it runs next, in words and as a list, what became of its slots, and what can be ordered.
import {backfill, manifest, may, resume, suspend, trigger} from "./actions.js";
import {badge} from "./state.js";
import {bars} from "./bars.js";
import {button, calmly, facts, h, replace} from "./dom.js";
import {calendar} from "./calendar.js";
import {follow} from "./events.js";
import {get, jobPath} from "./api.js";
import {MINE, stamp, until} from "./time.js";
import {outcomeFilter, runsTable} from "./runs.js";

const EFFECTS = {moved: "daylight saving: its time does not exist that day", lost: "daylight saving: the one before it does not exist",
  first: "daylight saving: first of two passes", second: "daylight saving: second of two passes"};

function nextSlots(slots, job) {
  if (!slots.length) return h("p", {}, "It has no further slot.");
  return h("ol", {class: "slots"}, slots.map((slot) => h("li", {}, stamp(slot.slot, job.timezone), " ",
    h("small", {}, until(slot.slot)),
    slot.effect && h("small", {class: "mark-dst"}, EFFECTS[slot.effect] ?? slot.effect),
    slot.dropped && h("small", {class: "why"}, "dropped: " + slot.dropped))));
}

function buttons(job) {
  const rights = job.may;
  return h("div", {class: "buttons"},
    may("trigger", rights) && button("Run now…", () => trigger(job), {class: "primary", "data-action": "trigger"}),
    may("suspend", rights) && (job.suspended
      ? button("Resume", () => resume(job), {"data-action": "resume"})
      : button("Suspend…", () => suspend(job), {"data-action": "suspend"})),
    may("backfill", rights) && button("Past slots…", () => backfill(job), {"data-action": "backfill"}),
    button("What is created", () => manifest(job, job.next?.unix), {"data-action": "manifest"}));
}

function suspension(job) {
  const order = job.suspended;
  return order && h("p", {class: "banner warn"}, h("strong", {}, "Suspended"), order.by && ` by ${order.by}`,
    order.reason && `: ${order.reason}`, order.until ? [". It ends ", until(order.until), ", ", stamp(order.until, job.timezone)] : "", ".");
}

const head = (job) => [
  h("div", {class: "title"}, h("h1", {}, job.name), badge(job.state), buttons(job)),
  job.description && h("p", {class: "about"}, job.description), suspension(job),
  facts([["Runs", job.words], ["Expression", job.schedule.map((each) => h("code", {}, each + " "))],
    ["Zone", job.timezone && (job.timezone === MINE ? job.timezone : `${job.timezone} (you are in ${MINE})`)],
    ["Overlap", job.overlap], ["Namespace", job.namespace], ["Next", job.next && [stamp(job.next, job.timezone), " ", until(job.next)]],
    ["Under way", job.active > 0 ? String(job.active) : null], ["Waiting", job.waiting > 0 ? String(job.waiting) : null],
    ["Written at", job.place && h("code", {}, job.place)]])];

export async function show(main, {parts: [, namespace, name], query}, signal) {
  const path = (below) => jobPath({namespace, name}, below);
  const place = {head: h("div", {}), next: h("div", {}), recent: h("div", {}), calendar: h("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": "Calendar"})};
  let table = null;
  async function look() {
    const [job, next, runs] = await Promise.all([get(path(""), {}, signal), get(path("/next"), {count: 8}, signal),
      get(path("/runs"), {limit: 1000}, signal)]);
    const outcome = query.get("outcome");
    table ??= runsTable(job);
    replace(place.head, head(job));
    replace(place.next, nextSlots(next.items, job));
    replace(place.recent, bars(job.recent ?? runs.items.filter((run) => run.outcome).slice(0, 20).reverse()));
    replace(place.calendar, calendar(runs.items, job));
    table.fill(runs.items.filter((run) => !outcome || run.outcome === outcome).slice(0, 200));
  }
  await look();
  replace(main, place.head, h("div", {class: "columns"}, h("section", {}, h("h2", {}, "Next"), place.next),
    h("section", {}, h("h2", {}, "Last 20"), place.recent, h("h2", {}, "Days"), place.calendar)),
  h("section", {}, h("div", {class: "title"}, h("h2", {}, "Runs, and slots that did not run"), outcomeFilter(query, look)), table.node));
  const soon = calmly(() => look().catch(() => {}), 1000, signal);
  follow((event, data) => { if (!data.job || data.job === name) soon(); }, signal);
  document.addEventListener("ordered", soon, {signal});
}
