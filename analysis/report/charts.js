// SPDX-License-Identifier: MIT
// Small charts in SVG: lines with a legend and a tooltip, intervals, scatter, bars over time.
"use strict";
const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
// Areas take the eighth colour too, which is too light for lines.
const FILLS = [...PALETTE, "#F0E442"];
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const errors = [];
window.onerror = (text) => { errors.push(String(text)); mark(); };
let drawn = 0;
function mark() {
  document.documentElement.dataset.drawn = drawn;
  document.documentElement.dataset.errors = errors.join(" | ");
}
function node(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((c) => c !== null && c !== undefined));
  return made;
}
function show(value, digits = 4) {
  if (value === null || value === undefined) return "-";
  if (typeof value !== "number") return String(value);
  if (value === 0 || Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(digits)));
}
function style(index) {
  return { colour: PALETTE[index % 7], dash: DASHES[Math.floor(index / 7) % 4] };
}
function ticks(low, high, count = 5) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-6; v += step) found.push(v);
  return found;
}
const tip = node("div", { class: "tip", hidden: "" });
function tell(event, text) {
  tip.textContent = text;
  tip.hidden = !text;
  if (text) {
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.clientY + 14 + "px";
  }
}
function frame(options) {
  // Axes over the data's range; returns the drawing and the two scales.
  const width = options.width || 560, height = options.height || 250;
  const left = options.left || 58, bottom = 36, top = 8, right = 12;
  const svg = node("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${options.ylabel || ""} over ${options.xlabel || ""}` });
  const [x0, x1] = options.xrange, [y0, y1] = options.yrange;
  const sx = (x) => left + (width - left - right) * (x - x0) / (x1 - x0 || 1);
  const sy = (y) => height - bottom - (height - bottom - top) * (y - y0) / (y1 - y0 || 1);
  for (const x of options.xticks || ticks(x0, x1)) {
    svg.append(node("svg:line", { class: "tick", x1: sx(x), x2: sx(x), y1: top, y2: height - bottom }));
    svg.append(node("svg:text", { x: sx(x), y: height - bottom + 14, "text-anchor": "middle" }, show(x)));
  }
  for (const y of options.yticks || ticks(y0, y1)) {
    svg.append(node("svg:line", { class: "tick", x1: left, x2: width - right, y1: sy(y), y2: sy(y) }));
    svg.append(node("svg:text", { x: left - 5, y: sy(y) + 4, "text-anchor": "end" },
      options.yname ? options.yname(y) : show(y)));
  }
  svg.append(node("svg:path", { class: "axis", d: `M${left} ${top}V${height - bottom}H${width - right}` }));
  svg.append(node("svg:text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle", class: "title" },
    options.xlabel || ""));
  svg.append(node("svg:text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`,
    "text-anchor": "middle", class: "title" }, options.ylabel || ""));
  drawn += 1;
  return { svg, sx, sy, x0, x1, left, right, width };
}
function range(values, zero) {
  let low = zero ? 0 : Infinity, high = zero ? 0 : -Infinity;
  for (const v of values) if (v !== null && Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (low > high) return [0, 1];
  const pad = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * 0.04;
  return [zero && low === 0 ? 0 : low - pad, high + pad];
}
function lineChart(series, options) {
  // series: [{label, x, y}]; a click in the legend hides one.
  const box = node("div");
  const hidden = new Set();
  const legend = node("div", { class: "legend" });
  const place = node("div");
  function draw() {
    const seen = series.filter((s, i) => !hidden.has(i) && s.x.length);
    const f = frame({ ...options,
      xrange: options.xrange || range(seen.flatMap((s) => s.x), options.xzero),
      yrange: options.yrange || range(seen.flatMap((s) => s.y), options.yzero) });
    series.forEach((s, i) => {
      if (hidden.has(i)) return;
      const { colour, dash } = style(i);
      let path = "", pen = "M";
      s.x.forEach((x, k) => {
        if (s.y[k] === null || x === null) { pen = "M"; return; }
        path += `${pen}${f.sx(x).toFixed(1)} ${f.sy(s.y[k]).toFixed(1)}`;
        pen = "L";
      });
      f.svg.append(node("svg:path", { d: path || "M0 0", fill: "none", stroke: colour, "stroke-width": 1.6,
        "stroke-dasharray": dash, class: "series" }));
    });
    f.svg.addEventListener("mousemove", (event) => {
      const bounds = f.svg.getBoundingClientRect();
      const at = (event.clientX - bounds.left) * f.width / bounds.width;
      const x = f.x0 + (at - f.left) / (f.width - f.left - f.right) * (f.x1 - f.x0);
      const lines = seen.slice(0, 14).map((s) => {
        let best = 0;
        s.x.forEach((v, k) => { if (Math.abs(v - x) < Math.abs(s.x[best] - x)) best = k; });
        return `${s.label}: ${show(s.y[best])}`;
      });
      tell(event, `${options.xlabel}: ${show(x)}\n${lines.join("\n")}`);
    });
    f.svg.addEventListener("mouseleave", (event) => tell(event, ""));
    place.replaceChildren(f.svg);
  }
  series.forEach((s, i) => {
    const { colour, dash } = style(i);
    const button = node("button", { type: "button", onclick: () => {
      if (hidden.has(i)) hidden.delete(i); else hidden.add(i);
      button.classList.toggle("off");
      draw();
    } }, node("svg:svg", { width: 22, height: 8, style: "width:22px" }, node("svg:line", { x1: 0, x2: 22, y1: 4, y2: 4,
      stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dash })), s.label);
    legend.append(button);
  });
  draw();
  box.append(place, legend);
  return series.length ? box : node("p", {}, "Nothing to show.");
}
function intervalChart(rows, options) {
  // rows: [{label, mean, low, high}], one under the other.
  const values = rows.flatMap((r) => [r.mean, r.low, r.high]);
  const height = 52 + 20 * rows.length;
  const longest = Math.max(...rows.map((r) => r.label.length), 8);
  const f = frame({ ...options, height, left: Math.min(24 + 6 * longest, 300), xrange: range(values),
    yrange: [rows.length - 0.5, -0.5], yticks: rows.map((_, i) => i), yname: (i) => rows[i].label.slice(-46) });
  rows.forEach((r, i) => {
    if (r.mean === null) return;
    const text = `${r.label}\n${show(r.mean)}` + (r.low === null ? "" : ` (${show(r.low)} to ${show(r.high)}, n=${r.n}, ${r.method})`);
    const group = node("svg:g", { onmousemove: (e) => tell(e, text), onmouseleave: (e) => tell(e, "") });
    if (r.low !== null) group.append(node("svg:line", { x1: f.sx(r.low), x2: f.sx(r.high), y1: f.sy(i), y2: f.sy(i),
      stroke: PALETTE[0], "stroke-width": 2 }));
    group.append(node("svg:circle", { cx: f.sx(r.mean), cy: f.sy(i), r: 4.5, fill: PALETTE[1], class: "series" }));
    f.svg.append(group);
  });
  return f.svg;
}
function table(head, rows, kind = "") {
  return node("table", { class: kind },
    head.length ? node("thead", {}, node("tr", {}, ...head.map((h) => node("th", {}, h)))) : null,
    node("tbody", {}, ...rows.map((r) => node("tr", {}, ...r.map((c) => node("td", {}, c instanceof Node ? c : show(c)))))));
}
function card(title, note, wide, ...children) {
  return node("section", { class: wide ? "card wide" : "card" }, node("h3", {}, title), ...children,
    note ? node("p", {}, note) : null);
}
function choice(label, options, change) {
  // options: [[value, text]]
  const select = node("select", { onchange: () => change(select.value) },
    ...options.map(([value, text]) => node("option", { value }, text)));
  return node("label", {}, label + " ", select);
}
