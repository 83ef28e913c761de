// What a job or a run is: a word, a shape and a hue for each, any of which is enough to tell.
import {h, svg} from "./dom.js";

const RING = "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 2a5 5 0 1 1 0 10A5 5 0 0 1 8 3z";
const shapes = {
  check: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM7 11.4 3.8 8.2 5 7l2 2 4-4 1.2 1.2z",
  cross: "M1 1h14v14H1zM5.2 4 4 5.2 6.8 8 4 10.8 5.2 12 8 9.2 10.8 12 12 10.8 9.2 8 12 5.2 10.8 4 8 6.8z",
  triangle: "M8 1 15.5 15H.5zM7.2 6v4.6h1.6V6zm0 5.8v1.6h1.6v-1.6z",
  slash: RING + "M4.6 7.2h6.8v1.6H4.6z",
  diamond: "M8 0 16 8 8 16 0 8zM8 3 3 8l5 5 5-5z",
  play: "M3 1.5 14 8 3 14.5z",
  glass: "M3 1h10v2L9 8l4 5v2H3v-2l4-5-4-5z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  dash: "M2 7h12v2H2z",
  dot: RING + "M8 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
};

// {shape, hue}, by the API's word
const kinds = {
  succeeded: ["check", "good"], failed: ["cross", "bad"], failing: ["cross", "bad"], timeout: ["triangle", "bad"],
  start_failed: ["triangle", "bad"], evicted: ["triangle", "bad"], lost: ["triangle", "bad"],
  deleted: ["triangle", "warn"], unknown: ["triangle", "bad"], skipped: ["slash", "idle"], missed: ["diamond", "warn"],
  running: ["play", "live"], created: ["play", "live"], creating: ["play", "live"], waiting: ["glass", "live"],
  enabled: ["dot", "good"], suspended: ["pause", "warn"], disabled: ["dash", "idle"],
};

export const hue = (word) => (kinds[word] ?? ["dot", "idle"])[1];
export const shapeOf = (word) => shapes[(kinds[word] ?? ["dot"])[0]];
export const words = (word) => String(word ?? "").replaceAll("_", " ");

export function mark(word) {
  return svg("svg", {class: "mark", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true"},
    svg("path", {d: shapeOf(word), "fill-rule": "evenodd"}));
}

export const badge = (word, title) => h("span", {class: "state " + hue(word), title}, mark(word), words(word));

// What daylight saving does to a slot.
const effects = {moved: "its time does not exist that day", lost: "the one before it does not exist",
  first: "first of two passes", second: "second of two passes"};

export const daylight = (effect) => effect &&
  h("small", {class: "mark-dst"}, `daylight saving: ${effects[effect] ?? effect}`);

// Of a run or a slot: what became of it, or what it is doing.
export const runWord = (run) => run.outcome ?? (run.state === "started" ? "running" : run.state);
export const isOver = (run) => Boolean(run.outcome) || run.state === "finished" || run.state === "skipped";
