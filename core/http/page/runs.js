// Runs as a table, and the slots that did not run among them, with the reason. Alone it is the view of all jobs' runs.
import {badge, isOver, runWord, words} from "./state.js";
import {button, calmly, h, heads, pages, replace, rows, say} from "./dom.js";
import {duration, since, stamp} from "./time.js";
import {explain} from "./actions.js";
import {follow} from "./events.js";
import {get, now} from "./api.js";
import {jobLink, link, refine, runLink} from "./route.js";
import {seconds} from "./bars.js";

const OUTCOMES = ["succeeded", "failed", "timeout", "start_failed", "evicted", "lost", "deleted", "unknown",
  "skipped", "missed"];
const COLUMNS = ["Outcome", "Slot", "Late", "Trigger", "Attempt", "Started", "Took", "Exit code", "Reason"];

const slotOf = (run) => run.missed > 1 && run.missed_from
  ? (zone) => [`${run.missed} slots from `, stamp(run.missed_from, zone), " to ", stamp(run.slot, zone)]
  : (zone) => stamp(run.slot, zone);

export const took = (run) => isOver(run) ? duration(seconds(run)) : since(run.started);

const didNotRun = (run) => run.outcome === "skipped" || run.outcome === "missed";

// job: whose runs they are; null: of all, so each names its own.
function row(run, job) {
  const owner = job ?? {namespace: run.namespace, name: run.job};
  const zone = job?.timezone;
  const cell = (label, ...content) => h("td", {"data-label": label}, content);
  return h("tr", {class: didNotRun(run) ? "not-run" : null},
    !job && h("th", {scope: "row"}, h("a", {href: jobLink(owner)}, run.job)),
    cell("Outcome", didNotRun(run) ? badge(runWord(run)) :
      h("a", {href: runLink(run.id), class: "row"}, badge(runWord(run)))),
    cell("Slot", slotOf(run)(zone)), cell("Late", run.lateness > 0 ? duration(run.lateness) : null),
    cell("Trigger", run.trigger && words(run.trigger), run.by && h("small", {}, run.by)),
    cell("Attempt", run.attempt > 0 ? String(run.attempt + 1) : null), cell("Started", stamp(run.started, zone)),
    cell("Took", took(run)), cell("Exit code", run.exit_code ?? null),
    cell("Reason", run.reason, run.message && h("small", {class: "why"}, run.message),
      run.slot && didNotRun(run) && button("Why?", () => explain(owner, run.slot.unix), {class: "plain"})));
}

export function runsTable(job) {
  const body = h("tbody", {});
  const fill = rows(body, (run) => row(run, job));
  const names = job ? COLUMNS : ["Job", ...COLUMNS];
  const none = h("p", {hidden: true}, "None yet.");
  return {node: [h("table", {class: "runs"}, heads(names), body), none], fill(runs) {
    none.hidden = runs.length > 0;
    fill(runs, (run) => run.id);
  }};
}

// A choice that stands in the address.
function filter(label, name, options, query, changed) {
  const select = h("select", {onchange: () => {
    if (select.value) query.set(name, select.value);
    else query.delete(name);
    query.delete("continue");
    refine(query);
    changed().catch((error) => say(error.message, "bad"));
  }}, options.map(([value, text]) => h("option", {value, selected: (query.get(name) ?? "") === value}, text)));
  return h("label", {}, label, " ", select);
}

export const outcomeFilter = (query, changed) => filter("Outcome", "outcome",
  ["", ...OUTCOMES].map((outcome) => [outcome, words(outcome) || "any"]), query, changed);

const SINCE = [["", "any time"], ["3600", "the last hour"], ["86400", "the last day"], ["604800", "the last week"]];
const TRIGGERS = ["", "schedule", "manual", "catch-up", "backfill", "retry"].map((each) => [each, each || "any"]);
const STATES = [["", "any"], ["open", "under way or waiting"], ["over", "over"]];

export async function show(main, {query}, signal) {
  const table = runsTable(null);
  const pager = pages();
  const look = async () => {
    const asked = Object.fromEntries(query);
    const since = asked.since ? Math.floor(now() - Number(asked.since)) : undefined;
    const page = await get("runs", {...asked, since}, signal);
    const token = page.metadata?.continue;
    table.fill(page.items);
    replace(pager, token && h("a", {rel: "next", href: link(["runs"], {...asked, continue: token})}, "Older"));
  };
  const filters = [outcomeFilter(query, look), filter("Recorded in", "since", SINCE, query, look),
    filter("Trigger", "trigger", TRIGGERS, query, look), filter("State", "state", STATES, query, look)];
  replace(main, h("h1", {}, "Runs"), h("div", {class: "filters"}, filters), table.node, pager);
  follow(calmly(() => look().catch(() => {}), 2000, signal), signal);
  await look();
}
