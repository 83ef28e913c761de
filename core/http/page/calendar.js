// The days of half a year, a square each, by the worst that happened on them.
import {hue, runWord, words} from "./state.js";
import {h, svg} from "./dom.js";
import {day, parts, zoneFor} from "./time.js";
import {now} from "./api.js";

const WEEKS = 26;
const SIDE = 13;
const ORDER = ["bad", "warn", "idle", "good"]; // the worst first
const DAY = 86400;

function byDay(runs, zone) {
  const days = new Map();
  for (const run of runs) {
    if (!run.outcome || !run.slot) continue;
    const date = day(run.slot.unix, zone);
    if (!days.has(date)) days.set(date, new Map());
    const counts = days.get(date);
    counts.set(runWord(run), (counts.get(runWord(run)) ?? 0) + (run.missed > 1 ? run.missed : 1));
  }
  return days;
}

const worst = (counts) => ORDER.find((kind) => [...counts.keys()].some((word) => hue(word) === kind)) ?? "idle";

// A mark inside, so that the hue is not all that tells.
function square(date, counts, x, y) {
  const told = counts ? [...counts].map(([word, count]) => `${count} ${words(word)}`).join(", ") : "nothing";
  const kind = counts ? worst(counts) : "none";
  const cross = kind === "bad" && svg("path", {class: "cut", d: `M${x + 3} ${y + 3}l5 5m0-5l-5 5`});
  return svg("g", {class: "day " + kind}, svg("title", {}, `${date}: ${told}`),
    svg("rect", {x, y, width: SIDE - 2, height: SIDE - 2, rx: 2}), cross);
}

const weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

// Noon of each day, so that no change of the clock skips one.
export function calendar(runs, job) {
  const zone = zoneFor(job.timezone);
  const days = byDay(runs, zone);
  const today = parts(now(), zone);
  const noon = Date.UTC(today.year, today.month - 1, today.day, 12) / 1000;
  const last = weekdays.indexOf(today.weekday);
  const squares = [];
  for (let week = 0; week < WEEKS; week++) {
    for (let weekday = 0; weekday < 7; weekday++) {
      const back = (WEEKS - 1 - week) * 7 + last - weekday;
      if (back < 0) continue;
      const date = new Date((noon - back * DAY) * 1000).toISOString().slice(0, 10);
      squares.push(square(date, days.get(date), 28 + week * SIDE, weekday * SIDE));
    }
  }
  const bad = [...days.values()].filter((counts) => worst(counts) === "bad").length;
  return [svg("svg", {class: "calendar", role: "img", width: 28 + WEEKS * SIDE, height: 7 * SIDE,
    "aria-label": `${days.size} days with slots, ${bad} of them with failures`},
  [0, 2, 4].map((weekday) => svg("text", {x: 0, y: weekday * SIDE + 10}, weekdays[weekday])), squares),
  h("p", {class: "legend"}, "blue: all well; orange with a cross: a failure; yellow: missed; grey: skipped")];
}
