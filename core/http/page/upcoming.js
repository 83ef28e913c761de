// What comes, of all jobs: how much starts in which hour, which jobs when, and the next slots one by one.
import {badge, daylight} from "./state.js";
import {duration, MINE, parts, stamp, until, zoneFor} from "./time.js";
import {get, now} from "./api.js";
import {go, jobLink, link} from "./route.js";
import {h, heads, region, replace, svg} from "./dom.js";

const HOUR = 3600;
const SPANS = [["1", "hour"], ["6", "6 hours"], ["24", "day"]];
const CELL = {wide: 34, high: 22, left: 74, top: 16};
const LANE = {high: 20, top: 14, left: 190, most: 40};
const LISTED = 100;

// What is meant by all jobs' zone: the viewer's, else UTC.
const zone = () => zoneFor(null);

// 0 for nothing, 1 to 4 from the emptiest hour that has some to the fullest.
function levels(buckets) {
  const some = buckets.filter((count) => count > 0);
  const least = Math.min(...some);
  const span = Math.max(...some) - least + 1;
  return (count) => count === 0 ? 0 : 1 + Math.floor(4 * (count - least) / span);
}

function cell(start, count, level, x, y) {
  const open = () => go(link(["upcoming"], {from: start, hours: 1}));
  return svg("g", {class: "hour l" + level(count), onclick: count > 0 && open}, svg("title", {}, `${count} starts`),
    svg("rect", {x, y, width: CELL.wide - 2, height: CELL.high - 2, rx: 2}),
    count > 0 && svg("text", {x: x + CELL.wide / 2 - 1, y: y + 14, "text-anchor": "middle"},
      count > 9999 ? "9999+" : String(count)));
}

// A row for each day, a column for each hour of its clock; an hour that comes twice has both counts.
function grid(heat) {
  const days = new Map();
  const level = levels(heat.buckets);
  heat.buckets.forEach((count, i) => {
    const start = heat.from.unix + i * heat.step;
    const at = parts(start, heat.timezone);
    const day = `${at.weekday} ${at.month}-${at.day}`;
    if (!days.has(day)) days.set(day, new Map());
    const known = days.get(day).get(Number(at.hour));
    days.get(day).set(Number(at.hour), {start: known?.start ?? start, count: (known?.count ?? 0) + count});
  });
  const rows = [...days].map(([day, hours], row) => {
    const y = CELL.top + row * CELL.high;
    return [svg("text", {x: 0, y: y + 14}, day), [...hours].map(([hour, {start, count}]) =>
      cell(start, count, level, CELL.left + hour * CELL.wide, y))];
  });
  const heads = Array.from({length: 24}, (_, hour) =>
    svg("text", {x: CELL.left + hour * CELL.wide + CELL.wide / 2, y: 11, "text-anchor": "middle"}, String(hour)));
  return svg("svg", {class: "heat", role: "img",
    width: CELL.left + 24 * CELL.wide, height: CELL.top + days.size * CELL.high,
    "aria-label": `starts in each hour of ${days.size} days, at most ${heat.most}`}, heads, rows);
}

const peak = (it) => h("li", {}, stamp(it.slot, zone()), ": ", h("strong", {}, String(it.starts)), " start: ",
  it.jobs.join(", "), it.starts > it.jobs.length && ", …");

function peaks(heat) {
  const some = heat.peaks?.filter((each) => each.starts > 1) ?? [];
  return some.length > 0 && h("div", {}, h("h3", {}, "Most at once"), h("ul", {}, some.map(peak)));
}

// Six times of the clock over the lanes.
function axis(from, to, x, high) {
  const step = (to - from) / 6;
  return Array.from({length: 6}, (_, i) => {
    const at = parts(from + i * step, zone());
    return [svg("line", {x1: x(from + i * step), x2: x(from + i * step), y1: 0, y2: high}),
      svg("text", {x: x(from + i * step) + 3, y: 10, class: "when"}, `${at.hour}:${at.minute}`)];
  });
}

// A line for each job, a mark for each slot, as long as a run usually takes.
function lanes(list, width) {
  const from = list.from.unix;
  const scale = (width - LANE.left) / (list.to.unix - from);
  const x = (unix) => LANE.left + (unix - from) * scale;
  const jobs = new Map();
  for (const slot of list.items) {
    const key = `${slot.namespace}/${slot.job}`;
    if (!jobs.has(key) && jobs.size < LANE.most) jobs.set(key, []);
    jobs.get(key)?.push(slot);
  }
  const marks = [...jobs.values()].map((slots, row) => {
    const y = LANE.top + row * LANE.high + LANE.high;
    const name = slots[0].job.length > 26 ? slots[0].job.slice(0, 25) + "…" : slots[0].job;
    return [svg("line", {x1: LANE.left, x2: width, y1: y - 6, y2: y - 6}), svg("text", {x: 0, y: y - 2}, name),
      slots.map((slot) => svg("rect", {x: x(slot.slot.unix), y: y - 13, height: 14, rx: 1,
        width: Math.max(3, (slot.usual_seconds ?? 0) * scale), class: slot.suspended ? "quiet" : null},
      svg("title", {}, `${slot.job} ${slot.slot.time}`)))];
  });
  const height = LANE.top + jobs.size * LANE.high + 8;
  return svg("svg", {class: "lanes", role: "img", width, height,
    "aria-label": `slots of ${jobs.size} jobs from ${list.from.time} to ${list.to.time}`},
  axis(from, list.to.unix, x, height), marks);
}

const row = (slot) => h("tr", {},
  h("td", {"data-label": "Slot"}, stamp(slot.slot, zone()), h("small", {}, until(slot.slot))),
  h("th", {scope: "row"}, h("a", {href: jobLink(slot), class: "row"}, slot.job), h("small", {}, slot.namespace)),
  h("td", {"data-label": "Usually takes"}, slot.usual_seconds > 0 && duration(slot.usual_seconds)),
  h("td", {"data-label": "Note"}, slot.suspended && badge("suspended"),
    daylight(slot.effect)));

function table(list) {
  const shown = list.items.slice(0, LISTED);
  const more = list.items.length - shown.length;
  return [h("table", {}, heads(["Slot", "Job", "Usually takes", "Note"]), h("tbody", {}, shown.map(row))),
    more > 0 && h("p", {}, `and ${more}${list.complete ? "" : " or more"} after these`),
  !shown.length && h("p", {}, "No slot of any job.")];
}

const spans = (from, hours) => h("nav", {class: "pages", "aria-label": "Span"}, SPANS.map(([value, text]) =>
  h("a", {href: link(["upcoming"], {from, hours: value}), "aria-current": Number(value) === hours && "true"}, text)));

export async function show(main, {query}, signal) {
  const hours = Number(query.get("hours")) || 6;
  const from = Number(query.get("from")) || Math.floor(now());
  const clock = parts(now(), zone());
  const hour = Math.floor(now()) - clock.minute * 60 - clock.second;
  const [list, heat] = await Promise.all([
    get("upcoming", {from, to: from + hours * HOUR, limit: 2000}, signal),
    get("heatmap", {from: hour, step: HOUR, timezone: zone()}, signal)]);
  const strip = region("Timeline");
  replace(main, h("h1", {}, "Upcoming"),
    h("section", {}, h("h2", {}, `Starts in each hour (${zone() === MINE ? "your zone, " : ""}${zone()})`),
      region("Heat map", grid(heat)),
      !heat.complete && h("p", {class: "wrong"}, "There are too many slots to count them all."), peaks(heat)),
    h("section", {}, h("div", {class: "title"},
      h("h2", {}, query.get("from") ? ["From ", stamp(from, zone())] : "From now"), spans(query.get("from"), hours)),
    strip, table(list)));
  replace(strip, lanes(list, Math.max(640, strip.clientWidth)));
}
