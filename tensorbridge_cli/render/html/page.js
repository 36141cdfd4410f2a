"use strict";
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("index").textContent);
const names = Object.keys(data.columns);
const varies = ({ values, rows }) => values.length > 1 || (values.length === 1 && rows.some((row) => row.length === 0));
const facets = names.filter((name) => !["Given", "Shape", "Device", "Line", "Code", "Calls", "Copied bytes"].includes(name) && varies(data.columns[name]));
// A subject's column that says the same in each row takes room and tells nothing: it is named once, above.
const common = ["Shape", "Dtype", "Layout", "State"].filter((name) => name in data.columns && data.size > 1 && !varies(data.columns[name]) && data.columns[name].values.length);
const shown = names.filter((name) => name !== "Device" && data.columns[name].values.length > 0 && !common.includes(name));
const keyed = ["Conversion", "Direction", "Shape", "Dtype", "Layout", "State", "Device", "Given", "Line"];
const axes = ["Dtype", "Layout", "State"].filter((name) => name in data.columns);
const style = (text) => text.replaceAll(" ", "-");
const numbers = (name, row) => { const found = data.columns[name].rows[row]; return Array.isArray(found) ? found : [found]; };
const texts = (name, row) => numbers(name, row).map((number) => data.columns[name].values[number]);
const text = (name, row) => texts(name, row).join(", ");
const key = (row) => keyed.map((name) => (name in data.columns ? text(name, row) : "")).join("|");
const element = (tag, content, className) => { const made = document.createElement(tag); if (content !== undefined) made.textContent = content; if (className) made.className = className; return made; };
// A long name breaks behind a dot or a bracket, and not inside a word.
const breakable = (place, content) => { for (const part of content.split(/(?<=[._(])/)) place.append(part, document.createElement("wbr")); return place; };

let state = { filters: {}, q: "", sort: "", axis: "", cell: "" };
let found = [];
let active = 0;
let lines = null;
const keys = new Map();

// What is asked for is in the address, so that it can be shared.
function read() {
  const asked = new URLSearchParams(location.hash.slice(1));
  state = { filters: {}, q: asked.get("q") ?? "", sort: asked.get("sort") ?? "", axis: asked.get("axis") ?? "", cell: asked.get("cell") ?? "" };
  for (const name of facets) if (asked.has(name)) state.filters[name] = asked.get(name);
  if (!location.hash) state.filters = Object.fromEntries(Object.entries(data.start).filter(([name]) => facets.includes(name)));
  if (!axes.includes(state.axis)) state.axis = axes.find((name) => data.columns[name].values.length > 1) ?? axes[0];
}

function write() {
  const asked = new URLSearchParams(state.filters);
  for (const name of ["q", "sort", "axis", "cell"]) if (state[name]) asked.set(name, state[name]);
  history.replaceState(null, "", `#${asked}`);
}

function search(row) {
  if (!lines) lines = Array.from({ length: data.size }, (_, one) => names.map((name) => text(name, one)).join(" ").toLowerCase());
  return lines[row];
}

function select() {
  const wanted = Object.entries(state.filters).map(([name, value]) => [data.columns[name].rows, data.columns[name].values.indexOf(value)]);
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  found = [];
  for (let row = 0; row < data.size; row++) {
    if (!wanted.every(([rows, number]) => rows[row] === number || (Array.isArray(rows[row]) && rows[row].includes(number)))) continue;
    if (words.length && !words.every((word) => search(row).includes(word))) continue;
    found.push(row);
  }
  const name = state.sort.replace(/^-/, "");
  if (name in data.columns) {
    const order = data.columns[name].values.map((value, number) => [value, number]).sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    const rank = []; order.forEach(([, number], place) => { rank[number] = place; });
    const place = (row) => rank[numbers(name, row)[0]] ?? -1;
    const sign = state.sort.startsWith("-") ? -1 : 1;
    found.sort((a, b) => sign * (place(a) - place(b)) || a - b);
  }
  active = Math.max(0, Math.min(active, found.length - 1));
}

// The filters
function filters() {
  for (const name of facets) {
    const label = element("label", name);
    const choice = element("select");
    choice.dataset.facet = name;
    choice.append(new Option("all", ""));
    for (const value of [...data.columns[name].values].sort((a, b) => a.localeCompare(b, "en", { numeric: true }))) choice.append(new Option(value, value));
    choice.addEventListener("change", () => { if (choice.value) state.filters[name] = choice.value; else delete state.filters[name]; update(); });
    label.append(choice);
    $("filters").insertBefore(label, $("clear"));
  }
  for (const name of axes) $("axis").append(new Option(name.toLowerCase(), name));
  $("axis").addEventListener("change", () => { state.axis = $("axis").value; update(); });
}

// The grid: a line a conversion and direction, a column a value of the axis, a letter a cell
function letter(outcomes) {
  if (outcomes.size > 1) return data.mixed;
  const [one] = outcomes;
  return data.letters[one] ?? (one === "not applicable" ? "·" : one[0].toUpperCase());
}

function grid() {
  const cells = new Map(); const columns = new Set();
  for (const row of found) {
    const line = `${text("Conversion", row)}\t${text("Direction", row)}`; const column = text(state.axis, row);
    columns.add(column);
    if (!cells.has(line)) cells.set(line, new Map());
    const cell = cells.get(line).get(column) ?? { rows: [], outcomes: new Set(), broken: false };
    cell.rows.push(row); texts(data.coloured, row).forEach((one) => { if (one !== "not applicable") cell.outcomes.add(one); });
    cell.broken ||= "Check" in data.columns && text("Check", row) === "failed";
    cells.get(line).set(column, cell);
  }
  const order = data.columns[state.axis].values.filter((value) => columns.has(value));
  const table = element("table"); const top = element("tr"); top.append(element("th", state.axis.toLowerCase()));
  for (const value of order) { const heading = element("th", value.length > 20 ? `${value.slice(0, 19)}…` : value); heading.title = value; heading.scope = "col"; top.append(heading); }
  table.append(element("thead")); table.tHead.append(top);
  const body = element("tbody"); const seen = new Set();
  const ways = data.columns.Direction.values;
  const way = ([name]) => ways.indexOf(name.split("\t")[1]);
  for (const [name, line] of [...cells].sort((a, b) => way(a) - way(b))) {
    const [conversion, direction] = name.split("\t");
    const tr = element("tr"); const heading = breakable(element("th"), `${conversion} `); heading.scope = "row"; heading.append(element("small", direction)); tr.append(heading);
    for (const value of order) {
      const cell = line.get(value);
      if (!cell || !cell.outcomes.size) { tr.append(element("td", "·", "none")); continue; }
      const sign = letter(cell.outcomes); const one = cell.outcomes.size === 1 ? [...cell.outcomes][0] : "";
      seen.add(one ? `${sign} ${one}` : `${data.mixed} differs within the cell`);
      const td = element("td", cell.broken ? sign.toLowerCase() : sign, `${style(one)}${cell.broken ? " broken" : ""}`);
      td.title = `${conversion} ${direction}, ${value}: ${[...cell.outcomes].join(", ")}`; td.tabIndex = -1; td.rows = cell.rows; td.column = value;
      tr.append(td);
    }
    body.append(tr);
  }
  table.append(body); $("grid").replaceChildren(table);
  const first = table.querySelector("td:not(.none)"); if (first) first.tabIndex = 0;
  $("legend").textContent = [...seen, "· not applicable"].join(", ") + (table.querySelector("td.broken") ? "; lower case: the check failed" : "");
}

function enter(td) {
  if (td.rows.length === 1) { open(td.rows[0]); return; }
  state.filters[state.axis] = td.column;
  for (const name of ["Conversion", "Direction"]) if (facets.includes(name)) state.filters[name] = text(name, td.rows[0]);
  update(); $("list").focus();
}

$("grid").addEventListener("click", (event) => { const td = event.target.closest("td:not(.none)"); if (td) enter(td); });
$("grid").addEventListener("keydown", (event) => {
  const td = event.target.closest("td"); if (!td) return;
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (event.key === "Enter") { enter(td); event.preventDefault(); return; }
  if (!step) return;
  event.preventDefault();
  let [y, x] = [td.parentElement.sectionRowIndex, td.cellIndex]; const rows = td.closest("tbody").rows;
  do { y += step[0]; x += step[1]; } while (rows[y]?.cells[x]?.classList.contains("none"));
  const next = rows[y]?.cells[x];
  if (next && next.tagName === "TD") { td.tabIndex = -1; next.tabIndex = 0; next.focus(); }
});

// The list: only the lines in sight are in the document
const list = $("list");
const height = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));

function heading() {
  const widths = { Conversion: "minmax(180px,3fr)", Direction: "110px", Hazards: "minmax(120px,2fr)", Facts: "minmax(120px,2fr)", Given: "minmax(120px,2fr)", "Write source→result": "minmax(118px,1fr)", "Write result→source": "minmax(118px,1fr)", Dtype: "minmax(76px,2fr)", Layout: "minmax(100px,2fr)", State: "minmax(76px,2fr)", Line: "minmax(120px,2fr)", Code: "minmax(180px,4fr)", Findings: "minmax(130px,2fr)", "New findings": "minmax(110px,2fr)", "Resolved findings": "minmax(110px,2fr)" };
  list.style.setProperty("--columns", shown.map((name) => widths[name] ?? "minmax(70px,1fr)").join(" "));
  $("head").replaceChildren(...shown.map((name) => {
    const cell = element("span"); cell.setAttribute("role", "columnheader"); const button = element("button", name + (state.sort === name ? " ▲" : state.sort === `-${name}` ? " ▼" : ""));
    button.type = "button"; button.dataset.sort = name;
    cell.setAttribute("aria-sort", state.sort === name ? "ascending" : state.sort === `-${name}` ? "descending" : "none");
    button.addEventListener("click", () => { state.sort = state.sort === name ? `-${name}` : state.sort === `-${name}` ? "" : name; update(); $("head").querySelector(`[data-sort="${name}"]`).focus(); });
    cell.append(button); return cell;
  }));
}

function draw() {
  const each = height(); $("space").style.height = `${found.length * each}px`;
  const from = Math.max(0, Math.floor(list.scrollTop / each) - 5);
  const to = Math.min(found.length, from + Math.ceil(list.clientHeight / each) + 10);
  const rows = [];
  for (let place = from; place < to; place++) {
    const row = found[place]; const line = element("div"); line.id = `row-${row}`; line.setAttribute("role", "row");
    line.setAttribute("aria-rowindex", place + 2); line.setAttribute("aria-selected", place === active); line.dataset.place = place;
    for (const name of shown) {
      const said = text(name, row); const coloured = name === data.coloured || name === "Check" || name.startsWith("Write ");
      const cell = breakable(element("span", "", name === "Hazards" ? "hazard" : coloured ? style(said) : ""), said); cell.title = said; cell.dataset.column = name; cell.setAttribute("role", "gridcell"); line.append(cell);
    }
    rows.push(line);
  }
  $("rows").style.top = `${from * each}px`; $("rows").replaceChildren(...rows);
  if (found.length) list.setAttribute("aria-activedescendant", `row-${found[active]}`); else list.removeAttribute("aria-activedescendant");
}

function reveal() {
  const each = height(); const head = $("head").offsetHeight; const top = active * each;
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + each > list.scrollTop + list.clientHeight - head) list.scrollTop = top + each - list.clientHeight + head;
  draw();
}

list.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
addEventListener("resize", draw);
$("rows").addEventListener("click", (event) => { const line = event.target.closest("[data-place]"); if (line) { active = Number(line.dataset.place); draw(); open(found[active]); } });
list.addEventListener("keydown", (event) => {
  if (event.target !== list) return;
  const page = Math.max(1, Math.floor(list.clientHeight / height()) - 1);
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
  if (event.key === "Enter" && found.length) { open(found[active]); event.preventDefault(); return; }
  if (step === undefined) return;
  event.preventDefault(); active = Math.max(0, Math.min(found.length - 1, active + step)); reveal();
});

// A cell, opened
async function chunk(number) {
  const packed = Uint8Array.from(atob(document.querySelectorAll("script.chunk")[number].textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function open(row) {
  state.cell = key(row); write();
  $("cell-title").textContent = `${text("Conversion", row)} ${text("Direction", row)}`.trim();
  const { pieces, texts: pages } = await chunk(Math.floor(row / data.chunk));
  $("details").innerHTML = pages[row % data.chunk].map((number) => pieces[number]).join(""); // written by us, every text escaped; the policy of the page runs nothing in it
  if (!$("cell").open) $("cell").showModal();
  $("cell").scrollTop = 0;
}

$("close").addEventListener("click", () => $("cell").close());
$("cell").addEventListener("close", () => { state.cell = ""; write(); });
$("cell").addEventListener("click", (event) => {
  if (event.target === $("cell")) $("cell").close();
  const button = event.target.closest(".copy"); if (!button) return;
  copy(button.parentElement.querySelector("code").textContent).then((done) => { button.textContent = done ? "Copied" : "Copying failed: select the text"; });
});

async function copy(code) {
  try { await navigator.clipboard.writeText(code); return true; } catch { /* a page from a file has no clipboard everywhere */ }
  const area = element("textarea", code); $("cell").append(area); area.select();
  const done = document.execCommand("copy"); area.remove(); return done;
}

// The rest
function update() {
  write(); select();
  for (const choice of document.querySelectorAll("[data-facet]")) choice.value = state.filters[choice.dataset.facet] ?? "";
  if ($("search").value !== state.q) $("search").value = state.q;
  $("axis").value = state.axis;
  $("count").textContent = `${found.length.toLocaleString("en")} of ${data.size.toLocaleString("en")}`;
  list.setAttribute("aria-rowcount", found.length + 1);
  heading(); if (state.axis) grid(); draw();
}

function start() {
  read(); const wanted = state.cell || (data.size === 1 && !location.hash ? key(0) : ""); update();
  if (!wanted) { if ($("cell").open) $("cell").close(); return; }
  if (!keys.size) for (let row = 0; row < data.size; row++) keys.set(key(row), row);
  if (keys.has(wanted)) open(keys.get(wanted)); else $("count").textContent += "; the cell of this address is not in this report";
}

$("search").addEventListener("input", () => { state.q = $("search").value; update(); });
$("clear").addEventListener("click", () => { state.filters = {}; state.q = ""; state.sort = ""; update(); });
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, select, textarea") || $("cell").open) return;
  event.preventDefault(); $("search").focus();
});
addEventListener("hashchange", start);
$("theme").addEventListener("click", () => {
  const root = document.documentElement; const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
$("overview").hidden = axes.every((name) => data.columns[name].values.length < 2);
document.documentElement.classList.toggle("program", "Code" in data.columns);
$("common").textContent = common.length ? `in all: ${common.map((name) => `${name.toLowerCase()} ${data.columns[name].values[0]}`).join(", ")}` : "";
filters(); start();
