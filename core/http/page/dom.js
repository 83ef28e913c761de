// Elements, made so that nothing the server says can become markup: children are nodes or text, and addresses
// come from route.js alone.
//   h("td", {class: "number", onclick: f}, "text", node, [more])   null, undefined and false are left out
//   svg("rect", {x: 1})   the same in SVG
//   replace(element, …children)   say("text"): to people, also to those who listen to the page

const SVG = "http://www.w3.org/2000/svg";
const absent = (value) => value === null || value === undefined || value === false;

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (absent(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

const present = (children) => children.flat(Infinity).filter((child) => !absent(child));

export const h = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

export const replace = (element, ...children) => element.replaceChildren(...present(children));

export const button = (label, onclick, attributes = {}) => h("button", {type: "button", onclick, ...attributes}, label);

export const heads = (names) => h("thead", {}, h("tr", {}, names.map((name) => h("th", {scope: "col"}, name))));

export const pages = (...links) => h("nav", {class: "pages", "aria-label": "Pages"}, links);

// A part that scrolls sideways by itself, also by the keyboard.
export const region = (label, ...content) =>
  h("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": label}, content);

export const codes = (list) => list?.map((each) => h("code", {}, each + " "));

// A list of names and values; those without a value are left out.
export function facts(pairs) {
  const rows = pairs.filter(([, value]) => !absent(value) && value.length !== 0);
  return h("dl", {class: "facts"}, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// Rows that are made anew only where what they show is another: a list that lives does not flicker, and what was
// focused, selected or about to be clicked stays.
//   const fill = rows(tbody, draw);   fill(items, keyOf)
export function rows(body, draw) {
  let kept = new Map();
  return (items, keyOf) => {
    const next = new Map();
    for (const item of items) {
      const text = JSON.stringify(item);
      const old = kept.get(keyOf(item));
      next.set(keyOf(item), old?.text === text ? old : {text, node: draw(item)});
    }
    for (const [key, old] of kept) if (next.get(key) !== old) old.node.remove();
    let place = body.firstChild;
    for (const {node} of next.values()) {
      if (node === place) place = place.nextSibling;
      else body.insertBefore(node, place);
    }
    kept = next;
  };
}

let going;

export function say(text, kind = "note") {
  const said = document.getElementById("said");
  said.className = kind;
  said.textContent = text;
  clearTimeout(going);
  going = setTimeout(() => { said.textContent = ""; }, kind === "bad" ? 12000 : 6000);
}

// f at most once in so many milliseconds, however often it is asked for; the last asking counts.
export function calmly(f, pause, signal) {
  let timer = null;
  let last = -Infinity;
  const run = () => {
    timer = null;
    last = performance.now();
    if (!signal?.aborted) f();
  };
  return () => { timer ??= setTimeout(run, Math.max(0, last + pause - performance.now())); };
}
