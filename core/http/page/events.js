// What happens, as it happens: one stream a page, for all that it shows. Read by fetch and not by EventSource, so that
// a refusal can be told from a broken line. A hidden page lets go of its stream, and catches up when it is seen again.
//   follow(f, signal)   f(name, data): created, started, finished, command, …; "reset": ask for all again
//   begin(told)         told("live" | "waiting" | "hidden")
import {open} from "./api.js";

const listeners = new Set();
const LONGEST = 30000; // ms between two tries
let last = null;       // the last event's id
let pause = 2000;      // ms, as the server says

export function follow(f, signal) {
  listeners.add(f);
  signal?.addEventListener("abort", () => listeners.delete(f));
}

function tell(name, text) {
  let data = {};
  try { data = JSON.parse(text || "{}"); } catch { return; }
  for (const f of [...listeners]) f(name, data);
}

// One block of lines up to an empty one.
function take(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (field === "id") last = value;
    else if (field === "event") name = value;
    else if (field === "data") data.push(value);
    else if (field === "retry") pause = Number(value) || pause;
  }
  if (data.length) tell(name, data.join("\n"));
}

async function read(signal, told) {
  const headers = last ? {"Last-Event-ID": last} : {};
  const response = await open("events", {headers, signal});
  told("live");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    blocks.forEach(take);
  }
}

const seen = () => new Promise((resolve) => {
  if (!document.hidden) return resolve();
  const look = () => {
    if (document.hidden) return;
    document.removeEventListener("visibilitychange", look);
    resolve();
  };
  document.addEventListener("visibilitychange", look);
});

// Until the page is hidden or the line breaks.
async function once(told) {
  const control = new AbortController();
  const hide = () => { if (document.hidden) control.abort(); };
  document.addEventListener("visibilitychange", hide);
  try {
    await read(control.signal, told);
  } catch { /* whatever it was: the next try tells */ } finally {
    document.removeEventListener("visibilitychange", hide);
  }
}

export async function begin(told) {
  let tries = 0;
  for (;;) {
    const began = performance.now();
    await once(told);
    tries = performance.now() - began > LONGEST ? 0 : tries + 1;
    told(document.hidden ? "hidden" : "waiting");
    await seen();
    const longest = Math.min(LONGEST, pause * 2 ** Math.min(tries - 1, 6));
    await new Promise((resolve) => { setTimeout(resolve, longest * (0.5 + Math.random() / 2)); });
  }
}
