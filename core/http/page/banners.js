// What concerns all jobs, above whatever is shown: a schedule that was refused, a pause, slots that are held.
import {button, calmly, h, replace, say} from "./dom.js";
import {get} from "./api.js";
import {follow} from "./events.js";
import {may, pause, unpause} from "./actions.js";
import {rights} from "./who.js";
import {stamp, until} from "./time.js";

const banner = (kind, ...children) => h("section", {class: "banner " + kind}, children);

// What was refused, and that the earlier version still works.
function refused({since, refused: mistakes}) {
  if (!mistakes) return null;
  const more = mistakes.count - mistakes.problems.length;
  return banner("bad", h("p", {}, h("strong", {}, "The schedule was not taken up"), " at ", stamp(mistakes.at),
    ". The version of ", stamp(since), " is still at work."),
  h("ul", {}, mistakes.problems.map((text) => h("li", {}, h("code", {}, text)))),
  more > 0 && h("p", {}, `and ${more} more`));
}

function paused(order) {
  if (!order) return null;
  return banner("warn", h("p", {}, h("strong", {}, "All jobs are paused"), order.by && ` by ${order.by}`,
    order.reason && `: ${order.reason}`, ". It ends ", until(order.until), ", ", stamp(order.until), "."),
  may("pause", rights()) && button("End the pause", unpause));
}

const bad = (names) => names?.length > 0 && banner("bad", h("p", {}, h("strong", {}, "Jobs with mistakes do not run: "),
  names.join(", ")));

const held = (reason) => reason && banner("bad", h("p", {}, h("strong", {}, "Slots are held: "), String(reason)));

// The last status; others show parts of it.
export let status = null;

export function banners(place) {
  async function look() {
    try {
      status = await get("status");
      replace(place, refused(status.configuration ?? {}), paused(status.paused), bad(status.bad), held(status.held));
    } catch (error) {
      replace(place, banner("bad", h("p", {}, error.message)));
      if (error.status !== 401) return;
    }
  }
  const soon = calmly(look, 1000);
  follow((name) => { if (!["created", "started", "finished"].includes(name)) soon(); });
  document.addEventListener("forbidden", soon);
  addEventListener("hashchange", soon);
  look();
}

export async function pauseAll() {
  if (!status) return say("the scheduler did not answer yet", "bad");
  return pause(status.jobs);
}
