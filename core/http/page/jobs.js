// The list of jobs. Filters, order and page stand in the address; the server searches, sorts and cuts, so that any
// number of jobs is a page of rows here.
import {bars} from "./bars.js";
import {badge, daylight, runWord, words} from "./state.js";
import {bulk} from "./bulk.js";
import {button, calmly, h, pages, replace, rows, say} from "./dom.js";
import {follow} from "./events.js";
import {get} from "./api.js";
import {jobLink, link, refine, runLink} from "./route.js";
import {may} from "./actions.js";
import {rights} from "./who.js";
import {now} from "./api.js";
import {pauseAll} from "./banners.js";
import {stamp, until} from "./time.js";

const STATES = ["enabled", "failing", "suspended", "disabled", "running"];
const SIZES = [50, 100, 200, 500];
const FAILED = [["", "any"], ["last", "last run failed"], ["3600", "one failed in the last hour"],
  ["86400", "in the last day"], ["604800", "in the last week"]];
const CALM = 2000; // ms between two looks at the list, however much happens

export const keyOf = (job) => `${job.namespace}/${job.name}`;

const lastRun = (job) => job.last && [h("a", {href: runLink(job.last.id)}, badge(runWord(job.last), job.last.reason)),
  h("small", {}, until(job.last.finished ?? job.last.started ?? job.last.slot))];

function stateCell(job) {
  const order = job.suspended;
  const why = order && [order.reason, order.by && `by ${order.by}`].filter(Boolean).join(", ");
  return [badge(job.state, why), job.active > 0 && h("small", {}, `${job.active} running`),
    job.waiting > 0 && h("small", {}, `${job.waiting} waiting`),
    job.failures > 1 && h("small", {}, `${job.failures} in a row`),
    job.silenced && h("small", {}, "silent: ", job.silenced.reason),
    order?.until && h("small", {}, "ends ", until(order.until)), why && h("small", {class: "why"}, why)];
}

function row(job, selection) {
  const box = h("input", {type: "checkbox", "aria-label": `select ${job.name}`, onchange: () =>
    selection.set(job, box.checked)});
  box.checked = selection.has(job);
  return h("tr", {}, h("td", {class: "pick"}, box), h("td", {"data-label": "State"}, stateCell(job)),
    h("th", {scope: "row"}, h("a", {href: jobLink(job), class: "row"}, job.name), h("small", {}, job.namespace),
      job.description && h("small", {class: "about"}, job.description)),
    h("td", {"data-label": "Schedule"}, job.words,
      h("small", {}, h("code", {}, job.schedule.join("  ")), " ", job.timezone)),
    h("td", {"data-label": "Next"}, job.next &&
      [stamp(job.next, job.timezone), h("small", {}, until(job.next)), daylight(job.next.effect)]),
    h("td", {"data-label": "Last 20"}, bars(job.recent)),
    h("td", {"data-label": "Last"}, lastRun(job)));
}

// Head cells that sort say so.
function columns(query, sort) {
  const order = query.get("sort") ?? "name";
  const cell = (label, key) => {
    const now = order === key ? "ascending" : order === "-" + key ? "descending" : "none";
    return h("th", {scope: "col", "aria-sort": now},
      button(label, () => sort(now === "ascending" ? "-" + key : key), {class: "sort " + now}));
  };
  return h("tr", {}, h("th", {scope: "col"}, h("span", {class: "hidden"}, "selected")),
    h("th", {scope: "col"}, "State"),
    cell("Job", "name"), h("th", {scope: "col"}, "Schedule"), cell("Next run", "next"),
    h("th", {scope: "col"}, "Last 20"), cell("Last run", "last"));
}

function choice(label, name, query, options, changed) {
  const select = h("select", {onchange: () => changed(name, select.value)},
    options.map(([value, text]) => h("option", {value, selected: (query.get(name) ?? "") === value}, text)));
  return h("label", {}, label, " ", select);
}

function text(label, name, query, changed, attributes = {}) {
  let timer;
  const input = h("input", {type: "search", value: query.get(name), spellcheck: "false", autocomplete: "off",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => changed(name, input.value.trim()), 250);
    }, ...attributes});
  return h("label", {}, label, " ", input);
}

// How long ago stands in the address, not since when: so a link means the same tomorrow.
const filters = (query, changed) => h("form",
  {class: "filters", role: "search", onsubmit: (event) => event.preventDefault()},
  text("Search", "q", query, changed, {id: "search", placeholder: "name or description  /"}),
  text("Namespace", "namespace", query, changed), text("Label", "label", query, changed, {placeholder: "key=value"}),
  choice("State", "state", query, [["", "any"], ...STATES.map((state) => [state, words(state)])], changed),
  choice("Runs", "failed", query, FAILED, changed),
  choice("Rows", "limit", query, SIZES.map((size) => [size === 100 ? "" : String(size), String(size)]), changed));

export function filterOf(query) {
  const {q, namespace, label, state, failed} = Object.fromEntries(query);
  return {q, namespace, label, state: state === "running" ? undefined : state, active: state === "running" || undefined,
    failed: failed === "last" || undefined, failed_since: failed > 0 ? Math.floor(now() - failed) : undefined};
}

function pager(query, metadata, count) {
  const next = metadata.continue && link(["jobs"], {...Object.fromEntries(query), continue: metadata.continue});
  const start = query.get("continue") && link(["jobs"], {...Object.fromEntries(query), continue: ""});
  const left = metadata.remainingItemCount ?? 0;
  const total = metadata.total === undefined ? "" : ` of ${metadata.total}`;
  return [h("span", {}, `${count}${total} shown${left ? `, ${left} more on the next pages` : ""}`),
    start && h("a", {href: start, rel: "first"}, "First page"), next && h("a", {href: next, rel: "next"}, "Next page")];
}

export async function show(main, {query}, signal) {
  const selection = bulk(() => filterOf(query));
  const body = h("tbody", {});
  const fill = rows(body, (job) => row(job, selection));
  const head = h("thead", {});
  const place = pages();
  const wrong = h("p", {class: "wrong", role: "alert"});

  let asking = 0;
  async function look() {
    const mine = ++asking;
    try {
      const page = await get("jobs", {...filterOf(query), sort: query.get("sort"), limit: query.get("limit"),
        continue: query.get("continue")}, signal);
      if (mine !== asking) return;
      replace(wrong);
      fill(page.items, keyOf);
      selection.known(page);
      replace(place, pager(query, page.metadata, page.items.length));
    } catch (error) {
      if (!signal.aborted) replace(wrong, error.message);
    }
  }
  function changed(name, value) {
    if (value) query.set(name, value);
    else query.delete(name);
    query.delete("continue");
    refine(query);
    replace(head, columns(query, (sort) => changed("sort", sort)));
    return look().then(() => say(`${body.children.length} jobs shown`));
  }

  replace(head, columns(query, (sort) => changed("sort", sort)));
  replace(main, h("div", {class: "title"}, h("h1", {}, "Jobs"),
    may("pause", rights()) && button("Pause all…", pauseAll)),
    filters(query, changed), selection.bar, wrong, h("table", {class: "jobs"}, head, body), place);
  const soon = calmly(look, CALM, signal);
  follow(soon, signal);
  await look();
}
