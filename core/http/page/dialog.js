// A modal form. It stays open, with what was wrong, until the order is taken or given up.
//   await ask({title, body, fields, action, run})   -> what run(values) gave; null: given up
//   field: {name, label, type, value, hint, required, …}; type: text, lines, number, moment, end, password, check
//   await tell(title, …children)
import {button, h, replace} from "./dom.js";
import {Refused, now} from "./api.js";
import {fromField, MINE} from "./time.js";

const ENDS = [["3600", "in an hour"], ["14400", "in 4 hours"], ["86400", "in a day"], ["604800", "in a week"],
  ["at", "at a time"]];

// A moment in the viewer's zone.
function moment(field, id) {
  const input = h("input", {id, type: "datetime-local", step: 1, required: field.required});
  return {nodes: [input], read: () => input.value ? fromField(input.value) : undefined};
}

// When something ends: after a while, at a time, or, if that is allowed, never.
function end(field, id) {
  const options = field.required ? ENDS : [["", "until it is resumed"], ...ENDS];
  const choice = h("select", {id}, options.map(([value, text]) => h("option", {value}, text)));
  const at = h("input", {type: "datetime-local", step: 1, hidden: true, "aria-label": `${field.label}, ${MINE}`});
  choice.addEventListener("change", () => {
    at.hidden = choice.value !== "at";
    at.required = !at.hidden;
  });
  const read = () => choice.value === "at" ? fromField(at.value)
    : choice.value ? Math.floor(now()) + Number(choice.value) : undefined;
  return {nodes: [choice, at], read};
}

function lines(field, id) {
  const area = h("textarea", {id, rows: 4, spellcheck: "false", required: field.required}, field.value ?? "");
  return {nodes: [area], read: () => area.value === "" ? undefined : area.value.replace(/\n$/, "").split("\n")};
}

function check(field, id) {
  const box = h("input", {id, type: "checkbox"});
  return {nodes: [box], read: () => box.checked};
}

function plain(field, id) {
  const input = h("input", {id, type: field.type ?? "text", value: field.value, required: field.required,
    autocomplete: "off", spellcheck: "false", min: field.min, max: field.max, pattern: field.pattern});
  const read = () => input.value === "" ? undefined : field.type === "number" ? Number(input.value) : input.value;
  return {nodes: [input], read};
}

const kinds = {moment, end, lines, check};

function row(field) {
  const id = "field-" + field.name;
  const {nodes, read} = (kinds[field.type] ?? plain)(field, id);
  const hint = field.hint && h("small", {id: id + "-hint"}, field.hint);
  if (hint) nodes[0].setAttribute("aria-describedby", id + "-hint");
  return {name: field.name, read, node: h("div", {class: "field"}, h("label", {for: id}, field.label), nodes, hint)};
}

function show(title, content) {
  const dialog = h("dialog", {"aria-labelledby": "dialog-title"}, h("h2", {id: "dialog-title"}, title), content);
  const back = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (back?.isConnected) back.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function problem(error) {
  if (!(error instanceof Refused)) return "the scheduler cannot be reached: " + error.message;
  const more = error.causes.filter((cause) => !error.message.includes(cause.message));
  return [error.message, ...more.map((cause) => `${cause.field}: ${cause.message}`)].join("\n");
}

export function ask({title, body, fields = [], action, run, danger = false, must = false}) {
  return new Promise((resolve) => {
    const rows = fields.map(row);
    const wrong = h("p", {class: "wrong", role: "alert"});
    const go = h("button", {type: "submit", class: danger ? "danger" : "primary"}, action);
    const form = h("form", {}, body, rows.map((each) => each.node), wrong,
      h("div", {class: "ends"}, must ? null : button("Cancel", () => dialog.close(), {class: "cancel"}), go));
    let result = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      replace(wrong);
      go.disabled = true;
      try {
        result = await run(Object.fromEntries(rows.map((each) => [each.name, each.read()]))) ?? true;
        dialog.close();
      } catch (error) {
        replace(wrong, problem(error));
      }
      go.disabled = false;
    });
    const dialog = show(title, form);
    if (must) dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => resolve(result));
  });
}

export function tell(title, ...children) {
  return new Promise((resolve) => {
    const dialog = show(title, [children, h("div", {class: "ends"},
      button("Close", () => dialog.close(), {class: "primary", autofocus: true}))]);
    dialog.addEventListener("close", () => resolve());
  });
}
