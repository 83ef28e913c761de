// Colours of a terminal in a line of output: pieces of text, each with its classes. All else that escape sequences
// ask for is left out.
//   pieces("\x1b[31mred\x1b[0m plain") -> [["red", "fg1"], [" plain", ""]]
//   plain(line): without them

const ESCAPES = /\x1b(?:\[([0-9;:]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

const clean = (text) => text.replace(CONTROLS, "");

export const plain = (line) => line.includes("\x1b") ? clean(line.replace(ESCAPES, "")) : clean(line);

// A colour of the palette of 16; those of 256 and of 16 million are not shown.
function take(codes, style) {
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) style.fg = style.bold = null;
    else if (code === 1) style.bold = "bold";
    else if (code === 22) style.bold = null;
    else if (code >= 30 && code <= 37) style.fg = "fg" + (code - 30);
    else if (code >= 90 && code <= 97) style.fg = "fg" + (code - 90);
    else if (code === 39) style.fg = null;
    else if (code === 38 || code === 48) i += codes[i + 1] === 5 ? 2 : 4;
  }
}

export function pieces(line) {
  const out = [];
  const style = {};
  let from = 0;
  const add = (text) => {
    if (text) out.push([clean(text), [style.fg, style.bold].filter(Boolean).join(" ")]);
  };
  for (const found of line.matchAll(ESCAPES)) {
    add(line.slice(from, found.index));
    from = found.index + found[0].length;
    if (found[2] === "m") take(found[1].split(/[;:]/).map(Number), style);
  }
  add(line.slice(from));
  return out;
}
