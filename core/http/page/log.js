// A run's output as it comes. Only the lines in sight are elements, so that a long one costs no more than a short one;
// those that stay in sight stay the same elements, so that what is selected stays selected.
//   const view = logView(run, signal);  view.over(): the run has ended
//   view.begin(follow): reads it, if it is not being read
import {button, h, replace, say} from "./dom.js";
import {logAddress, open, runPath, save} from "./api.js";
import {pieces, plain} from "./ansi.js";
import {isOver} from "./state.js";

const LINE = 18;          // px, as in page.css
const BEYOND = 30;        // lines above and below what is in sight
const MOST = 500000;      // lines that are kept: browsers draw no higher boxes
const LONGEST = 4000;     // characters of a line that are drawn
const AGAIN = 3000;       // ms until output that broke off is asked for again
const ERROR = /\b(error|failed|failure|fatal|panic|exception|traceback|critical)\b/i;

// Pieces of text into whole lines; what the last one lacks comes later.
function splitter(add) {
  let rest = "";
  return (text, end) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    if (end && rest) { lines.push(rest); rest = ""; }
    add(lines);
  };
}

function lineNode(text, number, query) {
  const node = h("div", {class: "line"}, h("span", {class: "number", "aria-hidden": "true"}, String(number + 1)));
  for (const [piece, classes] of pieces(text.slice(0, LONGEST))) node.append(...marked(piece, classes, query));
  if (text.length > LONGEST) node.append(h("em", {}, ` … ${text.length - LONGEST} more characters: download it`));
  node.style.top = number * LINE + "px";
  return node;
}

function marked(text, classes, query) {
  const out = [];
  const low = text.toLowerCase();
  let from = 0;
  for (let at = query ? low.indexOf(query) : -1; at >= 0; at = low.indexOf(query, from)) {
    out.push(h("span", {class: classes}, text.slice(from, at)), h("mark", {}, text.slice(at, at + query.length)));
    from = at + query.length;
  }
  out.push(h("span", {class: classes}, text.slice(from)));
  return out;
}

// The box that scrolls, and the lines in it.
function pane() {
  const sheet = h("div", {class: "sheet"});
  const box = h("div", {class: "log", tabindex: 0, role: "log", "aria-label": "Output", "aria-live": "off"}, sheet);
  const lines = [];
  let drawn = new Map();
  let query = "";
  let asked = false;
  let tail = true;

  function draw() {
    asked = false;
    const first = Math.max(0, Math.floor(box.scrollTop / LINE) - BEYOND);
    const last = Math.min(lines.length, first + Math.ceil(box.clientHeight / LINE) + 2 * BEYOND);
    const next = new Map();
    for (let i = first; i < last; i++) next.set(i, drawn.get(i) ?? lineNode(lines[i], i, query));
    for (const [i, node] of drawn) if (!next.has(i)) node.remove();
    for (const [i, node] of next) if (!drawn.has(i)) sheet.append(node);
    drawn = next;
  }
  function soon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(draw);
  }
  function show(line) {
    tail = false;
    box.scrollTop = Math.max(0, line * LINE - box.clientHeight / 2);
    soon();
  }
  box.addEventListener("scroll", () => {
    tail = box.scrollTop + box.clientHeight >= box.scrollHeight - 2 * LINE;
    soon();
  });
  return {
    box, lines, show,
    add(more) {
      lines.push(...more.slice(0, MOST - lines.length));
      sheet.style.height = lines.length * LINE + "px";
      if (tail) box.scrollTop = box.scrollHeight;
      soon();
    },
    search(text) {
      query = text;
      for (const node of drawn.values()) node.remove();
      drawn = new Map();
      soon();
    },
    end() { tail = true; box.scrollTop = box.scrollHeight; },
    clear() { lines.length = 0; for (const node of drawn.values()) node.remove(); drawn = new Map(); },
  };
}

function search(view) {
  const count = h("span", {class: "count", role: "status"});
  const input = h("input", {type: "search", placeholder: "search", "aria-label": "Search the output",
    spellcheck: "false"});
  let at = -1;
  const holds = (line) => plain(line).toLowerCase().includes(input.value.toLowerCase());
  function step(by) {
    const total = view.lines.length;
    if (!input.value || !total) return;
    for (let i = 1; i <= total; i++) {
      const line = (at + by * i + total * 2) % total;
      if (!holds(view.lines[line])) continue;
      at = line;
      view.show(line);
      return;
    }
  }
  input.addEventListener("input", () => {
    at = -1;
    view.search(input.value.toLowerCase());
    const found = input.value ? view.lines.filter(holds).length : 0;
    count.textContent = input.value ? `${found} lines` : "";
    step(1);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  });
  return [input, button("↑", () => step(-1), {"aria-label": "match before"}),
    button("↓", () => step(1), {"aria-label": "next match"}), count];
}

function toFirstError(view) {
  const line = view.lines.findIndex((text) => ERROR.test(plain(text)));
  if (line < 0) return say("no line speaks of an error");
  view.show(line);
  return say(`line ${line + 1}`);
}

// What else can be asked of the output: another container's, and, once it is over, when each line was written.
function questions(run, ask) {
  const query = {};
  const names = (run.containers ?? []).map((each) => each.name);
  const which = names.length > 1 && h("select", {"aria-label": "Container", onchange: () => {
    query.container = which.value;
    ask();
  }}, names.map((name) => h("option", {value: name}, name)));
  const times = run.pod && isOver(run) && h("input", {type: "checkbox", onchange: () => {
    query.timestamps = times.checked || undefined;
    ask();
  }});
  return {query, nodes: [which, times && h("label", {}, times, " times")]};
}

export function logView(run, signal) {
  const {id} = run;
  const view = pane();
  const more = questions(run, () => begin(!isOver(run)));
  const state = h("span", {class: "count", role: "status"});
  const name = id + ".log";
  const keep = (event) => save(event, runPath(id, "/log"), name).catch((error) => say(error.message, "bad"));
  const bar = h("div", {class: "logbar"}, search(view),
    button("First error", () => toFirstError(view), {id: "first-error"}), button("End", () => view.end()),
    h("a", {href: logAddress(id), download: name, class: "button", onclick: keep}, "Download"), more.nodes, state);

  async function read(follow) {
    const query = {...more.query, follow: follow ? "true" : undefined};
    const response = await open(runPath(id, "/log"), {query, signal});
    if (response.headers.get("X-Log") === "tail") say("of this output only the last lines are kept");
    view.clear();
    const take = splitter(view.add);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      take(piece.value);
      state.textContent = `${view.lines.length} lines${follow ? ", it goes on" : ""}`;
    }
    take("", true);
    state.textContent = `${view.lines.length} lines${view.lines.length >= MOST ? "; download it for the rest" : ""}`;
  }
  let reading = null;
  async function begin(follow) {
    reading ??= read(follow).catch((error) => {
      const words = error.status === 404 ? `There is no output${follow ? " yet" : ""}.` : "interrupted: " + error.message;
      if (!signal.aborted) replace(state, words);
      return error;
    });
    const failed = await reading;
    reading = null;
    if (failed && follow && failed.status !== 404 && !signal.aborted) setTimeout(() => begin(follow), AGAIN);
    return failed;
  }
  return {
    node: h("section", {class: "output"}, h("h2", {}, "Output"), bar, view.box), begin,
    // What had no output while it ran, or broke off, is asked for once more.
    async over() { if (reading ? await reading : !view.lines.length) await begin(false); },
  };
}
