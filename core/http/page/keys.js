// What the keyboard does. Nothing while something is being typed, or with Ctrl, Alt or Meta.
import {h} from "./dom.js";
import {tell} from "./dialog.js";
import {go} from "./route.js";

const press = (selector) => () => document.querySelector(selector)?.click();

// The rows' links, one after the other.
function step(by) {
  const rows = [...document.querySelectorAll("main a.row")];
  const at = rows.indexOf(document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
}

const actions = [
  ["/", "search", () => document.querySelector("main input[type=search]")?.focus()],
  ["j", "next row", () => step(1)], ["k", "row before", () => step(-1)],
  ["x", "select the row", () => document.activeElement?.closest("tr")?.querySelector(".pick input")?.click()],
  ["r", "run now", press("main [data-action=trigger]")],
  ["s", "suspend or resume", press("main [data-action=suspend], main [data-action=resume]")],
  ["e", "first error in the output", press("#first-error")],
  ["n", "next page", press("main a[rel=next]")],
  ["1", "jobs", () => go("#/jobs")], ["2", "runs", () => go("#/runs")],
  ["3", "upcoming", () => go("#/upcoming")], ["4", "audit", () => go("#/audit")], ["?", "this list", help],
];

function help() {
  return tell("Keys", h("dl", {class: "facts"}, actions.map(([key, what]) =>
    h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))));
}

const typing = (target) => target.closest?.("input, textarea, select, dialog") && target.type !== "checkbox";

export function keys() {
  document.getElementById("keys").addEventListener("click", help);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const found = actions.find(([key]) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found[2]();
  });
}
