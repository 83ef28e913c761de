// Instants and durations for people. Every time on the page is in the zone that is chosen above: the job's, the
// viewer's or UTC; the other two stand in its title.
import {h} from "./dom.js";
import {now} from "./api.js";

export const MINE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const formats = new Map();

function remembered() {
  try { return localStorage.getItem("zone"); } catch { return null; } // a browser may forbid it
}

let choice = remembered() ?? "job";
export const chosen = () => choice;

export function choose(value) {
  choice = value;
  try { localStorage.setItem("zone", value); } catch { /* then for this page only */ }
}

function format(zone) {
  if (!formats.has(zone)) {
    let made = null;
    try {
      made = new Intl.DateTimeFormat("en-GB", {timeZone: zone, weekday: "short", year: "numeric", month: "2-digit",
        day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
        timeZoneName: "shortOffset"});
    } catch { made = zone === "UTC" ? null : format("UTC"); } // the scheduler knows more zones than this browser
    formats.set(zone, made);
  }
  return formats.get(zone);
}

export function parts(unix, zone) {
  const out = {};
  for (const {type, value} of format(zone).formatToParts(unix * 1000)) out[type] = value;
  return out;
}

export const zoneFor = (jobZone) => choice === "utc" ? "UTC" : choice === "mine" ? MINE : jobZone || "UTC";

export const day = (unix, zone) => {
  const p = parts(unix, zone);
  return `${p.year}-${p.month}-${p.day}`;
};

function text(unix, zone) {
  const p = parts(unix, zone);
  const seconds = p.second === "00" ? "" : ":" + p.second;
  return `${p.weekday} ${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}${seconds}`;
}

const offset = (unix, zone) => parts(unix, zone).timeZoneName.replace("GMT", "UTC");

// t: {unix, time} of the API, or unix seconds.
export function stamp(t, jobZone) {
  const unix = Math.floor(t?.unix ?? t ?? NaN);
  if (Number.isNaN(unix)) return null;
  const zones = [...new Set([jobZone || "UTC", MINE, "UTC"])];
  return h("time", {datetime: new Date(unix * 1000).toISOString(),
    title: zones.map((zone) => `${text(unix, zone)} ${zone}`).join("\n")},
  text(unix, zoneFor(jobZone)), h("small", {}, " " + offset(unix, zoneFor(jobZone))));
}

const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

// Two units, at most: "2 h 5 min", "350 ms".
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return null;
  if (seconds > 0 && seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  let rest = Math.round(seconds);
  const out = [];
  for (const [size, unit] of units) {
    if (rest >= size && out.length < 2) {
      out.push(`${Math.floor(rest / size)} ${unit}`);
      rest %= size;
    } else if (out.length) break;
  }
  return out.join(" ") || "0 s";
}

function relative(unix) {
  const left = unix - now();
  if (Math.abs(left) < 1) return "now";
  return left > 0 ? "in " + duration(left) : duration(-left) + " ago";
}

const elapsed = (unix) => duration(Math.max(0, now() - unix));

// "in 2 min 5 s", which tick() keeps true.
export const until = (t) => t && h("span", {class: "until", "data-until": t.unix ?? t}, relative(t.unix ?? t));

// How long something goes on that began then.
export const since = (t) => t && h("span", {class: "until", "data-since": t.unix ?? t}, elapsed(t.unix ?? t));

export function tick() {
  for (const element of document.querySelectorAll("progress.elapsed")) {
    element.value = now() - Number(element.dataset.since);
    element.classList.toggle("bad", element.value >= element.max);
  }
  for (const element of document.querySelectorAll(".until")) {
    const {until: end, since: start} = element.dataset;
    const words = end ? relative(Number(end)) : elapsed(Number(start));
    if (element.textContent !== words) element.textContent = words;
  }
}

// What a datetime-local field says, in the viewer's zone, as unix seconds; null when it says nothing.
export function fromField(value) {
  const time = new Date(value).getTime();
  return Number.isNaN(time) ? null : Math.floor(time / 1000);
}
