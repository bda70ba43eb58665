"use strict";
// The map, the search, the list of files and the chain of reasons, from the JSON in the page.
// Nothing of an image becomes markup: texts are text nodes.
const data = JSON.parse(document.getElementById("data").textContent);
const files = data.files.map((row, number) => {
  const [path, kind, size, mode, owner, layer, pack, reasons, others, target, digest, capabilities] = row;
  return { number, path, kind, size, mode, owner, layer, pack, reasons, others, target, digest, capabilities };
});
const packages = data.packages.map(([name, version]) => ({ name, version }));
const maps = data.maps.map((map) => ({
  ...map,
  groups: map.groups.map(([label, size, members, wide, tall, tiles]) => ({ label, size, members, wide, tall, tiles })),
}));
const byPath = new Map(files.map((file) => [file.path, file]));
const ranked = [...files].filter((file) => file.kind !== "dir").sort((a, b) => b.size - a.size || a.number - b.number);
const largest = ranked.length ? ranked[0].size : 0;
const state = { map: 0, group: null, query: "", selected: null, shown: 100 };
const STEP = 100, WHOLE = 10000, NARROW = 640, MORE = -1, SHORT = 60;
const at = (id) => document.getElementById(id);

function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "click") made.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count, unit = 0;
  while (Math.round(value) >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${units[unit]}`;
}

const many = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const base = (path) => path.slice(path.lastIndexOf("/") + 1);
const packageOf = (file) => (file.pack < 0 ? null : packages[file.pack]);

// ---- reasons

const PHRASES = {  // kind → what is said before the name that was asked for, and before who asked
  interpreter: ["Interpreter", "of"],
  NEEDED: ["Needed as", "by"],
  AUXILIARY: ["Auxiliary filter", "of"],
  FILTER: ["Filter", "of"],
  preload: ["Preloaded as", "by"],
  dlopen: ["Opened as", "by"],
  symlink: ["A symlink on the way to", "for"],
  directory: ["A directory on the way to", "for"],
};
const LOADED = "already loaded";  // no way to a file, but a further request for it

function reasonText([kind, by, asked, foundBy]) {
  const found = data.texts[foundBy] === LOADED ? "" : data.texts[foundBy];
  const why = found ? ` (${found})` : "";
  if (kind === "rule") return `The rule ${asked} adds it${found ? `: ${found}` : ""}${by < 0 ? "" : ", for"}`;
  if (kind === "executable") return `You named this program${why}`;
  if (kind === "added") return `Added with --add at ${asked}${why}`;
  if (kind === "image") return "The image has it and tells no reason";
  if (kind === "generated") return `Generated: ${asked}${why}`;
  const [start, end] = PHRASES[kind] || [kind, "of"];
  return `${start} ${asked}${why}${by < 0 ? "" : ` ${end}`}`;
}

function chainOf(file) {
  const steps = [], seen = new Set();
  let one = file;
  while (one && !seen.has(one.number)) {
    seen.add(one.number);
    const reason = one.reasons[0];
    steps.push({ file: one, reason });
    one = reason[1] < 0 ? null : files[reason[1]];
  }
  return steps;
}

let brought = null;
function below(file) {
  if (!brought) {
    brought = files.map(() => [0, 0]);
    for (const one of files) {
      if (one.kind !== "file") continue;
      for (const step of chainOf(one).slice(1)) {
        brought[step.file.number][0] += 1;
        brought[step.file.number][1] += one.size;
      }
    }
  }
  return brought[file.number];
}

// ---- the selected file

function breakable(path) {
  return path.split(/(?<=\/)/).flatMap((part) => [part, el("wbr")]);
}

function link(file) {
  return el("button", { type: "button", class: "link path", click: () => select(file) }, ...breakable(file.path));
}

function sizeText(file) {
  if (file.kind !== "file") return file.kind === "dir" ? "directory" : "symlink";
  return file.target ? "same file" : bytes(file.size);
}

function fact(label, value) {
  return value === "" || value === null ? [] : [el("dt", null, label), el("dd", null, value)];
}

function showDetails() {
  const file = state.selected, panel = at("details");
  if (!file) return;
  const pack = packageOf(file), [count, size] = below(file);
  const layer = data.layers[file.layer];
  const made = [el("h3", { class: "path" }, ...breakable(file.path)), el("p", null, el("b", null, sizeText(file)), pack ? ` of ${pack.name}` : "")];
  if (data.absent) {
    made.push(el("h3", null, "Why it is here"), el("p", null, layer ? `Layer ${file.layer} brings it: ${layer}` : `Layer ${file.layer} brings it.`),
      el("p", { class: "note" }, "Reasons are known of images that rootfs-builder packed."));
  } else {
    made.push(el("h3", null, "Why it is here"), el("ol", { class: "chain" }, ...chainOf(file).map((step, number) =>
      el("li", null, number ? link(step.file) : el("b", { class: "path" }, ...breakable(step.file.path)), el("p", null, reasonText(step.reason))))));
    const more = file.reasons.slice(1);
    if (more.length) {
      made.push(el("h3", null, "Also"), el("ul", null, ...more.map((reason) =>
        el("li", null, reasonText(reason), reason[1] < 0 ? "" : " ", reason[1] < 0 ? "" : link(files[reason[1]]))),
        file.others ? el("li", null, `${many(file.others, "more reason")}`) : ""));
    }
  }
  made.push(el("h3", null, "What it is"), el("dl", null,
    ...fact("Bytes", file.kind === "file" ? file.size.toLocaleString("en") : ""),
    ...fact(file.kind === "symlink" ? "Leads to" : "Same file", file.target),
    ...fact("Package", pack ? `${pack.name} ${pack.version}` : ""),
    ...fact("Layer", data.absent ? "" : layer ? `${file.layer}: ${layer}` : String(file.layer)),
    ...fact("Owner", `${file.owner}, mode ${file.mode}`),
    ...fact("Capabilities", file.capabilities),
    ...fact("Digest", file.digest ? el("code", null, file.digest) : ""),
    ...fact("Brings in", count ? `${many(count, "file")}, ${bytes(size)}` : "")));
  panel.replaceChildren(...made);
}

function select(file) {
  const hash = `#${encodeURI(file.path)}`;
  if (location.hash !== hash) history.pushState(null, "", hash);
  follow();
}

function follow() {
  let path = "";
  try { path = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  const file = path.startsWith("/") ? byPath.get(path) : null;
  if (!file) return;
  state.selected = file;
  showDetails();
  mark();
  at("details").scrollIntoView({ block: "nearest" });
}

// ---- the map

function matches() {
  const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  return new Set(files.filter((file) => {
    const pack = packageOf(file), text = `${file.path} ${pack ? pack.name : ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }).map((file) => file.number));
}

function place(node, [x, y, width, height]) {
  const part = (value) => `${(value / WHOLE) * 100}%`;
  Object.assign(node.style, { left: part(x), top: part(y), width: part(width), height: part(height) });
}

function tileOf(tile, group, number, box, room) {
  const [index, size, count] = tile, file = index === MORE ? null : files[index];
  const text = file ? base(file.path) : many(count, "smaller file");
  const width = (box[2] / WHOLE) * room.width, height = (box[3] / WHOLE) * room.height;
  if (width < 2 || height < 2) return null;
  const label = file ? `${file.path}, ${bytes(size)}` : `${text} of ${group.label}, ${bytes(size)}`;
  const spoken = `${text} ${bytes(size)}, ${file ? file.path : group.label}`;  // it starts with what is seen
  const made = el("button", { type: "button", class: file ? "tile" : "tile folded", tabindex: "-1", title: label, "aria-label": spoken,
    "data-file": file ? index : null, click: () => (file ? select(file) : open(number)) });
  if (width > 42 && height > 17) made.append(el("span", null, text, " ", height > 34 ? el("small", null, bytes(size)) : ""));
  place(made, box);
  return made;
}

function groupOf(group, number, shape, room) {
  const box = state.group === null ? group[shape] : [0, 0, WHOLE, WHOLE];
  const width = (box[2] / WHOLE) * room.width - 2, height = (box[3] / WHOLE) * room.height - 2;
  const headed = width > 40 && height > 40;
  const holder = el("div", { class: headed ? "headed" : null });
  if (headed) {
    holder.append(el("button", { type: "button", class: "head", tabindex: "-1", title: `${group.label}, ${bytes(group.size)}`,
      "aria-expanded": String(state.group !== null), click: () => open(state.group === null ? number : null) },
    group.label, " ", el("small", null, bytes(group.size))));
  }
  const inside = { width, height: headed ? height - 20 : height };
  const tiles = group.tiles.map((tile) => tileOf(tile, group, number, tile[shape === "wide" ? 3 : 4], inside));
  holder.append(el("div", { class: "inner" }, ...tiles));
  const made = el("div", { class: "group", role: "group", "aria-label": `${group.label}, ${bytes(group.size)}` }, holder);
  made.style.setProperty("--hue", String((number * 137.5 + 250) % 360));
  place(made, box);
  return made;
}

function draw() {
  const map = at("map"), groups = maps[state.map].groups;
  map.classList.toggle("tall", map.clientWidth < NARROW);
  const room = { width: map.clientWidth, height: map.clientHeight };
  const shape = room.width < NARROW ? "tall" : "wide";
  const shown = groups.map((group, number) => [group, number]).filter(([, number]) => state.group === null || state.group === number);
  map.replaceChildren(...shown.map(([group, number]) => groupOf(group, number, shape, room)));
  at("zoom").replaceChildren(...(state.group === null ? [] : [el("button", { type: "button", class: "plain", click: () => open(null) }, "← All groups")]));
  mark();
}

function mark() {
  const found = matches(), selected = state.selected ? String(state.selected.number) : null;
  let first = null;
  for (const tile of at("map").querySelectorAll(".tile")) {
    const file = tile.dataset.file;
    tile.classList.toggle("dim", found !== null && !(file !== undefined && found.has(Number(file))));
    if (file !== undefined && file === selected) { tile.setAttribute("aria-current", "true"); first = tile; }
    else tile.removeAttribute("aria-current");
  }
  rove(first || at("map").querySelector("button"), false);
}

function open(number) {
  const inside = at("map").contains(document.activeElement);
  state.group = number;
  state.shown = STEP;
  draw();
  list();
  if (inside) at("map").querySelector("button")?.focus();
}

// One tile at a time is in the order of Tab; arrow keys go to the nearest in their direction.
function rove(button, focus) {
  if (!button) return;
  for (const one of at("map").querySelectorAll('button[tabindex="0"]')) one.tabIndex = -1;
  button.tabIndex = 0;
  if (focus) button.focus();
}

function nearest(from, key) {
  const middle = (one) => { const box = one.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; };
  const [x, y] = middle(from), sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  let best = null, least = Infinity;
  for (const one of at("map").querySelectorAll("button")) {
    const [dx, dy] = middle(one).map((value, axis) => value - [x, y][axis]);
    const along = (sideways ? dx : dy) * sign, across = Math.abs(sideways ? dy : dx);
    if (one !== from && along > 1 && along + 2.5 * across < least) { best = one; least = along + 2.5 * across; }
  }
  return best;
}

at("map").addEventListener("keydown", (event) => {
  const buttons = at("map").querySelectorAll("button");
  if (event.key === "Escape" && state.group !== null) open(null);
  else if (event.key.startsWith("Arrow")) rove(nearest(event.target, event.key), true);
  else if (event.key === "Home") rove(buttons[0], true);
  else if (event.key === "End") rove(buttons[buttons.length - 1], true);
  else return;
  event.preventDefault();
});
at("map").addEventListener("focusin", (event) => rove(event.target, false));

// ---- the list of files

function list() {
  const found = matches(), group = state.group === null ? null : new Set(maps[state.map].groups[state.group].members);
  const some = ranked.filter((file) => (!found || found.has(file.number)) && (!group || group.has(file.number)));
  const size = some.reduce((sum, file) => sum + file.size, 0);
  const where = group ? ` in ${maps[state.map].groups[state.group].label}` : "";
  at("count").textContent = `${many(some.length, "path")}${where}, ${bytes(size)}`;
  at("rows").replaceChildren(...some.slice(0, state.shown).map(row));
  at("more").hidden = some.length <= state.shown;
}

function row(file) {
  const pack = packageOf(file), reason = data.absent ? layerText(file) : short(file.reasons[0]);
  const size = el("td", { class: "number share" }, sizeText(file));
  size.style.setProperty("--part", `${largest ? (file.size / largest) * 100 : 0}%`);
  return el("tr", null, el("td", { class: "wide" }, link(file)), size, el("td", null, pack ? pack.name : "–"), el("td", { class: "why" }, reason));
}

function short([kind, by, asked]) {
  if (kind === "executable") return "the program";
  if (kind === "rule") return `rule ${asked}`;
  if (kind === "added") return "--add";
  if (by < 0) return kind;
  const [start, end] = PHRASES[kind] || [kind, "of"];
  return `${start.split(" on the way")[0].replace(/^An? | as$/g, "").toLowerCase()} ${end} ${base(files[by].path)}`;
}

function layerText(file) {
  const text = data.layers[file.layer];
  return `${file.layer}${text ? `: ${text.length > SHORT ? `${text.slice(0, SHORT)}…` : text}` : ""}`;
}

function search(text) {
  state.query = text;
  state.shown = STEP;
  mark();
  list();
}

at("search").addEventListener("input", (event) => search(event.target.value));
at("more").addEventListener("click", () => { state.shown += STEP; list(); });
for (const one of document.querySelectorAll("[data-search]")) {
  one.addEventListener("click", () => {
    state.group = null;
    at("search").value = one.dataset.search;
    draw();
    search(one.dataset.search);
    at("map-section").scrollIntoView();
    at("search").focus({ preventScroll: true });
  });
}
for (const one of document.querySelectorAll('input[name="map"]')) {
  one.addEventListener("change", () => { state.map = Number(one.value); open(null); });
  if (one.checked) state.map = Number(one.value);
}

// ---- tables that are sorted by a click on a heading

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const value = (one) => one.cells[column].dataset.value ?? one.cells[column].textContent;
    const numbers = head.classList.contains("number");
    head.replaceChildren(el("button", { type: "button", click: () => {
      const up = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !numbers;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].sort((a, b) => (numbers ? value(a) - value(b) : value(a).localeCompare(value(b))));
      body.replaceChildren(...(up ? rows : rows.reverse()));
    } }, head.textContent));
  });
}
document.querySelectorAll("table.sortable").forEach(sortable);

// What is drawn anew for another width keeps the focus.
let width = 0;
new ResizeObserver(() => {
  const map = at("map"), held = [...map.querySelectorAll("button")].indexOf(document.activeElement);
  if (map.clientWidth === width) return;
  width = map.clientWidth;
  draw();
  if (held >= 0) rove(map.querySelectorAll("button")[held] || map.querySelector("button"), true);
}).observe(at("map"));
addEventListener("hashchange", follow);
state.selected = ranked[0] || null;
showDetails();
draw();
list();
follow();
