// Who ordered what, when and why, newest first.
import {calmly, h, heads, pages, replace} from "./dom.js";
import {stamp} from "./time.js";
import {follow} from "./events.js";
import {get} from "./api.js";
import {link} from "./route.js";

// What was ordered besides: an end, arguments, the span of a backfill.
function detail(order) {
  return Object.entries(order ?? {}).map(([name, value]) => {
    const shown = ["until", "from", "to"].includes(name) && typeof value === "number" ? stamp(value)
      : Array.isArray(value) ? value.join(" ") : String(value);
    return h("small", {class: "why"}, `${name}: `, shown);
  });
}

const about = (row) => row.job ? h("a", {href: link(["audit"], {job: row.job}), class: "row"}, row.job)
  : row.detail?.jobs ? `${row.detail.jobs.length} jobs` : "all jobs";

function row(each) {
  const cell = (label, ...content) => h("td", {"data-label": label}, content);
  return h("tr", {}, cell("At", stamp(each.at)), cell("Order", each.command), h("th", {scope: "row"}, about(each)),
    cell("By", each.by && h("a", {href: link(["audit"], {by: each.by})}, each.by)),
    cell("Reason", each.reason), cell("More", detail(each.detail)));
}

export async function show(main, {query}, signal) {
  const body = h("tbody", {});
  const pager = pages();
  const asked = Object.fromEntries(query);
  async function look() {
    const page = await get("audit", asked, signal);
    replace(body, page.items.map(row));
    const token = page.metadata?.continue;
    replace(pager, page.items.length ? null : "No orders.",
      token && h("a", {href: link(["audit"], {...asked, continue: token}), rel: "next"}, "Older"));
  }
  const soon = calmly(() => look().catch(() => {}), 1000, signal);
  follow((name) => { if (name === "command" || name === "reset") soon(); }, signal);
  await look();
  const only = ["job", "by"].filter((name) => asked[name]).map((name) => `${name} ${asked[name]}`).join(", ");
  replace(main, h("h1", {}, "Audit"), only && h("p", {}, `Only ${only}. `, h("a", {href: "#/audit"}, "All")),
    h("table", {}, heads(["At", "Order", "Job", "By", "Reason", "More"]), body), pager);
}
