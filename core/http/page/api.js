// What the page asks the scheduler, all below v1/ beside it. A token, where one is needed, stays in this page's memory
// and ends with it: it is in no address and in no storage.
//   await get("jobs", {q: "pi"})   await post("pause", {until: 1795514310})   await remove("backfills/1")   -> answers
//   open("events", …) -> the Response itself, for streams
//   They throw Refused, with status, message and causes.
//   now(): unix seconds by the server's clock

export class Refused extends Error {
  constructor(status, answer) {
    super(answer?.message || `the scheduler answered ${status}`);
    this.status = status;
    this.causes = answer?.details?.causes ?? [];
  }
}

let ahead = 0; // seconds that the server's clock is ahead of ours
let token = null;
let signIn = null; // asks for a token; resolves when there is a session
let signingIn = null;

export const now = () => Date.now() / 1000 + ahead;

export function onSignIn(f) { signIn = f; }

// Its Date has whole seconds: what is less than two is not seen.
function readClock(response) {
  const theirs = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(theirs)) return;
  const difference = (theirs - Date.now()) / 1000;
  ahead = Math.abs(difference) < 2 ? 0 : difference;
}

async function refusal(response) {
  let answer = null;
  try { answer = await response.json(); } catch { /* no JSON: the status has to do */ }
  return new Refused(response.status, answer);
}

function address(path, query) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") words.set(name, value);
  }
  const text = words.toString();
  return "v1/" + path + (text ? "?" + text : "");
}

export const jobPath = (job, below = "") =>
  `jobs/${encodeURIComponent(job.namespace)}/${encodeURIComponent(job.name ?? job.job)}${below}`;
export const runPath = (id, below = "") => `runs/${encodeURIComponent(id)}${below}`;
export const logAddress = (id) => "v1/" + runPath(id, "/log");

async function attempt(path, {query, method = "GET", body, headers = {}, signal} = {}) {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  if (sent !== undefined) headers = {"Content-Type": "application/json", ...headers};
  if (token) headers = {Authorization: `Bearer ${token}`, ...headers};
  const response = await fetch(address(path, query),
    {method, headers, body: sent, signal, credentials: "same-origin", redirect: "error"});
  readClock(response);
  return response;
}

const TRIES = 4;

// Seconds after which a busy scheduler, or one that does not lead yet, wants to be asked again. Orders are not repeated
// by themselves.
function wait(response, method = "GET") {
  const seconds = Number(response.headers.get("Retry-After"));
  const later = response.status === 429 || response.status === 503;
  return later && method === "GET" && seconds > 0 ? Math.min(seconds, 5) : 0;
}

async function patiently(path, options) {
  for (let tries = 1; ; tries++) {
    const response = await attempt(path, options);
    const seconds = wait(response, options.method);
    if (!seconds || tries === TRIES) return response;
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
    options.signal?.throwIfAborted();
  }
}

export async function open(path, options = {}) {
  let response = await patiently(path, options);
  while (response.status === 401 && signIn) {
    signingIn ??= signIn().finally(() => { signingIn = null; });
    await signingIn;
    response = await patiently(path, options);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

export async function get(path, query, signal) {
  return (await open(path, {query, signal})).json();
}

export async function post(path, body = {}, headers = {}) {
  return (await open(path, {method: "POST", body, headers})).json();
}

export async function remove(path) {
  return (await open(path, {method: "DELETE"})).json();
}

// Throws Refused when the token is wrong.
export async function session(given) {
  token = given;
  const response = await attempt("status");
  if (response.status === 401) throw await refusal(response);
}

// A link cannot show the token: what it leads to is fetched, and saved from here.
export async function save(event, path, name) {
  if (!token) return;
  event.preventDefault();
  const content = URL.createObjectURL(await (await open(path)).blob());
  const link = document.createElement("a");
  link.href = content;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(content), 60000);
}

// The same key is the same request, however often it is sent.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
