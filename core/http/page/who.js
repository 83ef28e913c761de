// Who looks at the page, and what they may order of all jobs. What they may of one job, the API says with it.
import {get} from "./api.js";

let known = null;

export const rights = () => known?.may ?? null;

// A scheduler that cannot say it lets the orders themselves be refused.
export async function meet() {
  known = await get("whoami").catch(() => null);
  return known;
}
