// The address of what is shown: #/jobs?q=pi&state=failing. All of it stands behind the #, so the page works below
// any path, and each view can be linked to.

export function current() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  return {parts: parts.length ? parts : ["jobs"], query: new URLSearchParams(query)};
}

function filled(query) {
  const out = new URLSearchParams();
  for (const [name, value] of query instanceof URLSearchParams ? query : Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") out.set(name, value);
  }
  const text = out.toString();
  return text ? "?" + text : "";
}

export const link = (parts, query = {}) => "#/" + parts.map(encodeURIComponent).join("/") + filled(query);

export const jobLink = (job) => link(["jobs", job.namespace, job.name ?? job.job]);
export const runLink = (id) => link(["runs", id]);

// The query changes, the view stays: no new entry for the back button.
export function refine(query) {
  history.replaceState(history.state, "", link(current().parts, query));
}

export const go = (hash) => { location.hash = hash; };
