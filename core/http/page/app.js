// The page: the address decides the view, one stream tells what happens. A view is
//   show(main, {parts, query}, signal)   async; what it began ends with the signal
import * as events from "./events.js";
import {banners} from "./banners.js";
import {choose, chosen, MINE, tick} from "./time.js";
import {current} from "./route.js";
import {h, replace} from "./dom.js";
import {keys} from "./keys.js";
import {onSignIn, session} from "./api.js";
import {meet} from "./who.js";
import {ask} from "./dialog.js";
import {show as jobs} from "./jobs.js";
import {show as job} from "./job.js";
import {show as runs} from "./runs.js";
import {show as run} from "./run.js";
import {show as upcoming} from "./upcoming.js";
import {show as audit} from "./audit.js";

const main = document.getElementById("main");
let leaving = new AbortController();

const views = [
  [/^jobs$/, jobs], [/^jobs\/[^/]+\/[^/]+$/, job], [/^runs$/, runs], [/^runs\/[^/]+$/, run],
  [/^upcoming$/, upcoming], [/^audit$/, audit],
];

function viewOf({parts}) {
  const path = parts.map(encodeURIComponent).join("/");
  return views.find(([pattern]) => pattern.test(path))?.[1];
}

const nothing = (message) => replace(main, h("h1", {}, "Not here"), h("p", {class: "wrong"}, message),
  h("p", {}, h("a", {href: "#/jobs"}, "All jobs")));

function markNavigation({parts}) {
  for (const link of document.querySelectorAll("#views a")) {
    const here = link.getAttribute("href") === "#/" + parts[0];
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function render() {
  leaving.abort();
  leaving = new AbortController();
  const {signal} = leaving;
  const route = current();
  const view = viewOf(route);
  markNavigation(route);
  main.setAttribute("aria-busy", "true");
  try {
    if (view) await view(main, route, signal);
    else nothing("There is no such view.");
  } catch (error) {
    if (!signal.aborted) nothing(error.message);
  }
  if (signal.aborted) return;
  main.removeAttribute("aria-busy");
  const heading = main.querySelector("h1")?.textContent;
  document.title = heading ? `${heading} – Kube Scheduler` : "Kube Scheduler";
}

function zoneSwitch() {
  const zone = document.getElementById("zone");
  zone.options[1].textContent = `my zone (${MINE})`;
  zone.value = chosen();
  zone.addEventListener("change", () => {
    choose(zone.value);
    render();
  });
}

onSignIn(() => ask({
  title: "Sign in", action: "Sign in", must: true,
  body: h("p", {}, "This scheduler wants its token."),
  fields: [{name: "token", label: "Token", type: "password", required: true}],
  run: ({token}) => session(token),
}));

const lines = {live: ["live", "What happens is shown at once."],
  waiting: ["not connected", "The line to the scheduler is broken; it is tried again."], hidden: ["", ""]};

function told(how) {
  const link = document.getElementById("link");
  [link.textContent, link.title] = lines[how];
  link.className = how;
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", async () => {
  document.getElementById("said").textContent = "";
  await render();
  main.focus({preventScroll: true});
  scrollTo(0, 0);
});
document.addEventListener("forbidden", render);
zoneSwitch();
keys();
banners(document.getElementById("banners"));
setInterval(tick, 1000);
events.begin(told);
meet().then(render);
