// One job: when it runs next, in words and as a list, what became of its slots, and what can be ordered.
import {backfill, cancelBackfill, manifest, may, resume, silence, suspend, trigger, unsilence} from "./actions.js";
import {badge, daylight} from "./state.js";
import {bars} from "./bars.js";
import {button, calmly, codes, facts, h, pages, region, replace} from "./dom.js";
import {calendar} from "./calendar.js";
import {duration, MINE, stamp, until} from "./time.js";
import {follow} from "./events.js";
import {get, jobPath} from "./api.js";
import {link} from "./route.js";
import {outcomeFilter, runsTable} from "./runs.js";

function nextSlots(slots, job) {
  if (!slots.length) return h("p", {}, "It has no further slot.");
  return h("ol", {class: "slots"}, slots.map((slot) => h("li", {}, stamp(slot.slot, job.timezone), " ",
    h("small", {}, until(slot.slot)),
    daylight(slot.effect))));
}

// Of two orders the one that makes sense now.
const either = (on, job, [action, label, f], [undo, undoLabel, g]) => on
  ? may(undo, job.may) && button(undoLabel, () => g(job), {"data-action": undo})
  : may(action, job.may) && button(label, () => f(job), {"data-action": action});

const buttons = (job) => h("div", {class: "buttons"},
  may("trigger", job.may) && button("Run now…", () => trigger(job), {class: "primary", "data-action": "trigger"}),
  either(job.suspended, job, ["suspend", "Suspend…", suspend], ["resume", "Resume", resume]),
  either(job.silenced, job, ["silence", "Silence…", silence], ["silence", "End silence", unsilence]),
  may("backfill", job.may) && button("Past slots…", () => backfill(job), {"data-action": "backfill"}),
  button("What is created", () => manifest(job, job.next?.unix), {"data-action": "manifest"}));

const order = (what, job, it) => it && h("p", {class: "banner warn"}, h("strong", {}, what), it.by && ` by ${it.by}`,
  it.reason && `: ${it.reason}`,
  it.until && [". It ends ", until(it.until), ", ", stamp(it.until, job.timezone)], ".");

const underWay = (job, backfills) => backfills.map((each) => h("p", {class: "banner live"},
  h("strong", {}, "Past slots run"), `: ${each.done} of ${each.total} are over`,
  each.failed > 0 && `, ${each.failed} failed`, each.by && `, asked for by ${each.by}`, ". ",
  may("backfill", job.may) && button("Start no more", () => cancelBackfill(each))));

const head = (job, backfills) => [
  h("div", {class: "title"}, h("h1", {}, job.name), badge(job.state), buttons(job)),
  job.description && h("p", {class: "about"}, job.description), order("Suspended", job, job.suspended),
  order("Silenced", job, job.silenced), underWay(job, backfills),
  facts([["Runs", job.words], ["Expression", codes(job.schedule)],
    ["Zone", job.timezone && (job.timezone === MINE ? job.timezone : `${job.timezone} (you are in ${MINE})`)],
    ["Next", job.next && [stamp(job.next, job.timezone), " ", until(job.next)]], ["Overlap", job.overlap],
    ["Namespace", job.namespace], ["Under way", job.active > 0 ? String(job.active) : null],
    ["Waiting", job.waiting > 0 ? String(job.waiting) : null],
    ["Usually takes", job.usual_seconds > 0 && duration(job.usual_seconds)],
    ["Failures in a row", job.failures > 0 ? String(job.failures) : null],
    ["Last success", job.last_success && [stamp(job.last_success, job.timezone), " ", until(job.last_success)]],
    ["Arguments", codes(job.args)],
    ["Labels", codes(Object.entries(job.labels).map(([name, value]) => `${name}=${value}`))],
    ["Template", job.template && h("code", {}, job.template)], ["Written at", job.place && h("code", {}, job.place)],
    ["Orders", h("a", {href: link(["audit"], {job: job.name})}, "audit")]])];

export async function show(main, {parts: [, namespace, name], query}, signal) {
  const path = (below) => jobPath({namespace, name}, below);
  const place = {head: h("div"), next: h("div"), recent: h("div"), pages: pages(), days: region("Days")};
  const job = await get(path(""), {}, signal);
  const table = runsTable(job);

  async function lookAtJob() {
    const [again, next, backfills] = await Promise.all([get(path(""), {}, signal),
      get(path("/next"), {count: 8}, signal), get("backfills", {}, signal)]);
    replace(place.head, head(again, backfills.items.filter((each) => each.job === name)));
    replace(place.next, nextSlots(next.items, again));
    replace(place.recent, bars(again.recent));
  }
  async function lookAtRuns() {
    const page = await get(path("/runs"), {outcome: query.get("outcome"), continue: query.get("continue")}, signal);
    const token = page.metadata?.continue;
    table.fill(page.items);
    replace(place.pages, token && h("a", {rel: "next", href: link(["jobs", namespace, name],
      {outcome: query.get("outcome"), continue: token})}, "Older"));
  }
  async function lookAtDays() {
    const past = await get(path("/runs"), {limit: 1000, state: "over"}, signal);
    replace(place.days, calendar(past.items, job));
  }
  const soon = calmly(() => Promise.all([lookAtJob(), lookAtRuns()]).catch(() => {}), 1000, signal);
  const later = calmly(() => lookAtDays().catch(() => {}), 30000, signal);
  follow((event, data) => {
    if (data.job && data.job !== name) return;
    soon();
    if (event === "finished" || event === "reset") later();
  }, signal);
  await Promise.all([lookAtJob(), lookAtRuns(), lookAtDays()]);
  replace(main, place.head, h("div", {class: "columns"}, h("section", {}, h("h2", {}, "Next"), place.next),
    h("section", {}, h("h2", {}, "Last 20"), place.recent, h("h2", {}, "Days"), place.days)),
  h("section", {}, h("div", {class: "title"}, h("h2", {}, "Runs, and slots that did not run"),
    outcomeFilter(query, lookAtRuns)), table.node, place.pages));
}
