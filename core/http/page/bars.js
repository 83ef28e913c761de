// The last runs as bars, oldest first: as high as they took long, and what went wrong told by its shape too. A click
// leads to the run; who has no mouse gets there by the table of runs.
import {svg} from "./dom.js";
import {hue, runWord, words} from "./state.js";
import {duration} from "./time.js";
import {go, runLink} from "./route.js";

const MOST = 20;
const WIDE = 7;
const HIGH = 26;
const LOW = 8; // of a run that took no time, or did not run

export function seconds(run) {
  if (run.seconds !== undefined) return run.seconds;
  return run.started && run.finished ? run.finished.unix - run.started.unix : null;
}

// Good is a plain bar, bad one with a notch in its head, what did not run a hollow stub.
function outline(kind, x, height) {
  const top = HIGH - height;
  const right = x + WIDE - 2;
  if (kind !== "bad") return `M${x} ${HIGH}V${top}H${right}V${HIGH}z`;
  return `M${x} ${HIGH}V${top}L${(x + right) / 2} ${Math.min(top + 5, HIGH - 1)}L${right} ${top}V${HIGH}z`;
}

function bar(run, x, longest) {
  const word = runWord(run);
  const kind = hue(word);
  const took = seconds(run);
  const height = Math.max(LOW, Math.round(HIGH * (took ?? 0) / longest));
  const told = [words(word), took === null ? null : duration(took)].filter(Boolean).join(", ");
  return svg("g", {onclick: run.id && (() => go(runLink(run.id))), class: "bar " + kind},
    svg("title", {}, told), svg("rect", {x: x - 1, y: 0, width: WIDE, height: HIGH, class: "reach"}),
    svg("path", {d: outline(kind, x, height)}));
}

function summary(runs) {
  const counts = new Map();
  for (const run of runs) counts.set(runWord(run), (counts.get(runWord(run)) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${words(word)}`).join(", ");
}

// runs: oldest first
export function bars(runs) {
  const shown = runs.slice(-MOST);
  if (!shown.length) return null;
  const longest = Math.max(1, ...shown.map((run) => seconds(run) ?? 0));
  return svg("svg", {class: "bars", width: MOST * WIDE, height: HIGH, viewBox: `0 0 ${MOST * WIDE} ${HIGH}`,
    role: "img", "aria-label": `the last ${shown.length}: ${summary(shown)}`},
  svg("line", {x1: 0, x2: MOST * WIDE, y1: HIGH - 0.5, y2: HIGH - 0.5}),
  shown.map((run, i) => bar(run, (MOST - shown.length + i) * WIDE + 1, longest)));
}
