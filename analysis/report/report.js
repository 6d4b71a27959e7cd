// SPDX-License-Identifier: MIT
// Lays the page out from its data.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");
document.body.append(tip);

function filtered(controls, build) {
  // A plot under selections; `build` gets the selected values.
  const place = node("div"), state = {};
  const bar = node("div", { class: "controls" });
  for (const [key, label, options] of controls) {
    if (options.length < 2) { state[key] = options.length ? options[0][0] : ""; continue; }
    state[key] = options[0][0];
    bar.append(choice(label, options, (value) => { state[key] = value; redraw(); }));
  }
  function redraw() { place.replaceChildren(build(state)); mark(); }
  redraw();
  return [bar, place];
}
const distinct = (values) => [...new Set(values)];

function answersTable(run) {
  const rows = run.summary.answers.map((a) => [`${a.task} ${a.codec} ${a.rung}`, a.messages, a.complete, a.partial,
    a.nothing, a.on_time, show(a.prior_accuracy, 3), show(a.offline_accuracy, 3), show(a.accuracy, 3),
    a.accuracy_low === null ? "-" : `${a.accuracy_low.toFixed(3)} to ${a.accuracy_high.toFixed(3)}`,
    show(a.goodput_hz, 3), show(a.bytes_per_message, 4), show(a.air_bytes_per_message, 4),
    show(a.delay_ms_p50, 3), show(a.delay_ms_p95, 3)]);
  return table(["task, codec, rung", "sent", "whole", "partly", "lost", "in time", "prior", "offline", "network",
    "95 % (Wilson)", "right/s", "bytes", "on air", "p50 ms", "p95 ms"], rows);
}
function throughputCard(run) {
  const ues = distinct(run.throughput.map((s) => s.ue));
  const parts = filtered([["ue", "UE", [["", "all"], ...ues.map((u) => [u, u])]],
    ["direction", "direction", [["", "both"], ["dl", "downlink"], ["ul", "uplink"]]]], (state) => {
    const series = run.throughput.filter((s) => (state.ue === "" || String(s.ue) === String(state.ue)) &&
      (state.direction === "" || s.direction === state.direction))
      .map((s) => ({ ...s, label: `UE ${s.ue} ${s.direction.toUpperCase()}` }));
    return lineChart(series, { xlabel: "simulated time (s)", ylabel: "Mbit/s", xrange: [0, run.duration_s], yzero: true });
  });
  return card("Throughput of each UE", "Delivered IP bytes. A click in a legend hides a line.", false, ...parts);
}
function accuracyCard(run) {
  const ues = distinct(run.accuracy.map((s) => s.ue)).filter((u) => u !== null).sort((a, b) => a - b);
  const tasks = distinct(run.accuracy.map((s) => s.task));
  const parts = filtered([["ue", "UE", [["all", "together"], ["each", "each"], ...ues.map((u) => [u, u])]],
    ["task", "task", [["", "all"], ...tasks.map((t) => [t, t])]]], (state) => {
    const series = run.accuracy.filter((s) => (state.task === "" || s.task === state.task) &&
      (state.ue === "all" ? s.ue === null : state.ue === "each" ? s.ue !== null : String(s.ue) === String(state.ue)))
      .map((s) => ({ ...s, label: `${s.task}, ${s.codec}` + (s.ue === null ? "" : `, UE ${s.ue}`) }));
    return lineChart(series, { xlabel: "simulated time (s)", ylabel: "accuracy so far", xrange: [0, run.duration_s], yrange: [0, 1.02] });
  });
  return card("Accuracy", "Share of right answers among the messages created so far.", false, ...parts);
}
function cdfCard(run) {
  const names = { delay_ms: "message delay (ms)", sinr_db: "effective SINR (dB)", throughput_mbps: "throughput of a UE (Mbit/s)" };
  const known = Object.keys(names).filter((k) => run.cdfs[k].length);
  if (!known.length) return null;
  const parts = filtered([["what", "of", known.map((k) => [k, names[k]])]], (state) =>
    lineChart(run.cdfs[state.what], { xlabel: names[state.what], ylabel: "share at or below", yrange: [0, 1] }));
  return card("Distributions", `SINR and throughput: means over ${show(run.duration_s / 60 * 1e3)} ms with traffic.`, false, ...parts);
}
function gridCard(run) {
  const g = run.grid;
  if (!g) return null;
  const span = 200, last = g.slot[g.slot.length - 1] + 1;
  const cells = distinct(g.cell).sort((a, b) => a - b);
  const starts = [];
  for (let s = 0; s < last; s += span) starts.push([s, `${show((s + g.first_slot) * g.slot_ms)} ms`]);
  const parts = filtered([["cell", "cell", cells.map((c) => [c, c])], ["from", "from", starts]], (state) => {
    const scale = 4, from = Number(state.from);
    const canvas = node("canvas", { width: span * scale * 1.5, height: g.prbs * scale });
    const pen = canvas.getContext("2d"), w = scale * 1.5;
    pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height);
    g.slot.forEach((slot, i) => {
      if (String(g.cell[i]) !== String(state.cell) || slot < from || slot >= from + span) return;
      const x = (slot - from) * w, y = (g.prbs - g.first[i] - g.count[i]) * scale, h = g.count[i] * scale;
      pen.globalAlpha = g.up[i] ? 0.55 : 1;
      pen.fillStyle = FILLS[g.ue[i] % 8];
      pen.fillRect(x, y, w, h);
      pen.globalAlpha = 1;
      if (g.again[i]) { pen.fillStyle = "#fff"; pen.fillRect(x + w / 3, y, w / 3, h); }
      if (g.lost[i]) { pen.fillStyle = "#000"; for (let k = y; k < y + h; k += 8) pen.fillRect(x, k, w, 2); }
    });
    drawn += 1;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "resource grid");
    return canvas;
  });
  const ues = distinct(g.ue).sort((a, b) => a - b);
  const key = node("div", { class: "legend" }, ...ues.map((u) => node("span", {}, node("span",
    { style: `display:inline-block;width:12px;height:12px;margin-right:4px;background:${FILLS[u % 8]}` }), `UE ${u}`)));
  return card("Resource grid", `${span} slots of ${show(g.slot_ms)} ms to the right, ${g.prbs} PRBs upwards. Pale: uplink. White bar: ` +
    "retransmission. Black dashes: not decoded." + (g.cut ? " Only the run's first blocks are in this file." : ""), true, ...parts, key);
}
function timelineCard(run) {
  const m = run.messages;
  if (!m.shown) return null;
  const nodes = distinct(m.node).sort((a, b) => a - b), per = 40;
  const parts = filtered([["node", "UE", [["", "all"], ...nodes.map((n) => [n, n])]],
    ["kind", "messages", [["", "all"], ["wrong", "wrong"], ["late", "not in time"]]]], (state) => {
    const rows = [];
    for (let i = 0; i < m.shown && rows.length < per; i += 1) {
      if (state.node !== "" && String(m.node[i]) !== String(state.node)) continue;
      if (state.kind === "wrong" && m.correct[i] || state.kind === "late" && m.on_time[i]) continue;
      rows.push(i);
    }
    if (!rows.length) return node("p", {}, "No such messages.");
    const ms = (v, i) => v === null ? null : (v - m.t_created_s[i]) * 1e3;
    const ends = rows.flatMap((i) => [ms(m.t_decoded_s[i], i), ms(m.deadline_s[i], i)]);
    const f = frame({ xlabel: "since the sample arrived (ms)", ylabel: "message", width: 1150, height: 50 + 11 * rows.length,
      left: 96, xrange: [0, range(ends, true)[1]], yrange: [rows.length - 0.5, -0.5], yticks: rows.map((_, k) => k),
      yname: (k) => `UE ${m.node[rows[k]]} ${show(m.t_created_s[rows[k]], 3)} s` });
    rows.forEach((i, k) => {
      const steps = [[0, ms(m.t_encoded_s[i], i), "#CC79A7"], [ms(m.t_encoded_s[i], i), ms(m.t_first_tx_s[i], i), "#E69F00"],
        [ms(m.t_first_tx_s[i], i), ms(m.t_delivered_s[i], i), "#0072B2"], [ms(m.t_delivered_s[i], i), ms(m.t_decoded_s[i], i), "#009E73"]];
      const text = `${m.task[i]} ${m.codec[i]} ${m.rung[i]}\n${m.units_received[i]} of ${m.units_sent[i]} units, ` +
        `${m.correct[i] ? "right" : "wrong"}, ${m.on_time[i] ? "in time" : "not in time"}`;
      const group = node("svg:g", { onmousemove: (e) => tell(e, text), onmouseleave: (e) => tell(e, "") });
      for (const [a, b, colour] of steps) if (a !== null && b !== null && b >= a) group.append(node("svg:rect",
        { x: f.sx(a), y: f.sy(k) - 3.5, width: Math.max(f.sx(b) - f.sx(a), 0.8), height: 7, fill: colour, class: "series" }));
      const limit = ms(m.deadline_s[i], i);
      if (limit !== null) group.append(node("svg:line", { x1: f.sx(limit), x2: f.sx(limit), y1: f.sy(k) - 5, y2: f.sy(k) + 5, stroke: "#000" }));
      if (!m.correct[i]) group.append(node("svg:text", { x: f.width - 12, y: f.sy(k) + 4, "text-anchor": "end" }, "wrong"));
      f.svg.append(group);
    });
    return f.svg;
  });
  const key = node("div", { class: "legend" }, ...[["#CC79A7", "encoding"], ["#E69F00", "waiting for the air"], ["#0072B2", "on air and backhaul"],
    ["#009E73", "decoding"], ["#000", "deadline"]].map(([c, t]) => node("span", {}, node("span",
    { style: `display:inline-block;width:12px;height:8px;margin-right:4px;background:${c}` }), t)));
  return card("Messages", `The first ${per} of a selection; this file has ${m.shown} of ${m.all} messages.`, true, ...parts, key);
}
function mapCard(run) {
  const p = run.map;
  if (!p) return null;
  const parts = filtered([["way", "SINR", [["ul", "uplink"], ["dl", "downlink"]]]], (state) => {
    const xs = range([...p.cells.map((c) => c[0]), ...p.ues.map((u) => u.x)]);
    const ys = range([...p.cells.map((c) => c[1]), ...p.ues.map((u) => u.y)]);
    // Metres are as long upwards as to the right.
    const width = 560, height = 330, scale = Math.max((xs[1] - xs[0]) / (width - 70), (ys[1] - ys[0]) / (height - 44));
    const cx = (xs[0] + xs[1]) / 2, cy = (ys[0] + ys[1]) / 2, hx = scale * (width - 70) / 2, hy = scale * (height - 44) / 2;
    const f = frame({ xlabel: "x (m)", ylabel: "y (m)", width, height, xrange: [cx - hx, cx + hx], yrange: [cy - hy, cy + hy] });
    const known = p.ues.map((u) => u[state.way]).filter((v) => v !== null && v !== undefined);
    const low = Math.min(...known), high = Math.max(...known);
    for (const u of p.ues) {
      const c = p.cells[u.cell], v = u[state.way];
      f.svg.append(node("svg:line", { x1: f.sx(u.x), y1: f.sy(u.y), x2: f.sx(c[0]), y2: f.sy(c[1]), stroke: "#c8d0d8" }));
      const share = v === null || v === undefined ? null : high > low ? (v - low) / (high - low) : 0.5;
      const colour = share === null ? "#fff" : `rgb(${Math.round(253 - 253 * share)},${Math.round(231 - 160 * share)},${Math.round(37 + 105 * share)})`;
      f.svg.append(node("svg:circle", { cx: f.sx(u.x), cy: f.sy(u.y), r: 7, fill: colour, stroke: "#1b1f24", class: "series",
        onmousemove: (e) => tell(e, `UE ${u.ue}, cell ${u.cell}\nuplink ${show(u.ul, 3)} dB, downlink ${show(u.dl, 3)} dB`),
        onmouseleave: (e) => tell(e, "") }));
      f.svg.append(node("svg:text", { x: f.sx(u.x) + 9, y: f.sy(u.y) + 4, class: "title" },
        `${u.ue}` + (v === null || v === undefined ? "" : `: ${v.toFixed(0)} dB`)));
    }
    p.cells.forEach((c, i) => {
      const x = f.sx(c[0]), y = f.sy(c[1]);
      f.svg.append(node("svg:path", { d: `M${x} ${y - 9}L${x + 8} ${y + 6}H${x - 8}Z`, fill: "#D55E00", stroke: "#000" }));
      f.svg.append(node("svg:text", { x: x + 10, y: y - 6, class: "title" }, `cell ${i}`));
    });
    return f.svg;
  });
  return card("Map", "UEs where they start; dark is a good SINR (mean over transport blocks), white none measured.", false, ...parts);
}
function linksCard(run) {
  const rows = run.summary.links.map((l) => [l.ue, show(l.throughput_dl_bps / 1e6, 3), show(l.throughput_ul_bps / 1e6, 3),
    show(l.bler_first_dl, 3), show(l.bler_first_ul, 3), show(l.mcs_mean_dl, 3), show(l.mcs_mean_ul, 3), show(l.sinr_db_dl, 3), show(l.sinr_db_ul, 3)]);
  const lost = Object.entries(run.summary.losses).map(([k, v]) => `${v} ${k}`).join(", ") || "none";
  return card("Links", `BLER of first transmissions. Packets lost: ${lost}.`, false, table(["UE", "DL Mbit/s", "UL Mbit/s", "DL BLER", "UL BLER",
    "DL MCS", "UL MCS", "DL SINR dB", "UL SINR dB"], rows));
}
function runSection(run) {
  const cards = node("div", { class: "cards" });
  const section = node("div", {}, node("h2", {}, run.title + (data.parts.length > 1 ? ` (${run.folder})` : "")),
    ...run.warnings.map((w) => node("div", { class: "warning" }, w)), cards);
  const learning = run.rounds.length ? card("Fine-tuning", "", false, lineChart([
    { label: "accuracy", x: run.rounds.map((r) => r.round), y: run.rounds.map((r) => r.accuracy) },
    { label: "loss", x: run.rounds.map((r) => r.round), y: run.rounds.map((r) => r.loss) }], { xlabel: "round", ylabel: "accuracy, loss" })) : null;
  const asked = run.retrievals.length ? card("Retrieval", "", false, table(Object.keys(run.retrievals[0]), run.retrievals.map((r) => Object.values(r)))) : null;
  cards.append(...[card("Answers", "prior: always the commonest label; offline: the same samples without a network.", true, answersTable(run)),
    throughputCard(run), accuracyCard(run), cdfCard(run), mapCard(run), gridCard(run), timelineCard(run), linksCard(run),
    run.rungs.length ? card("Rungs chosen", "Messages of each rung by time of creation.", false,
      lineChart(run.rungs, { xlabel: "simulated time (s)", ylabel: "messages", yzero: true })) : null, learning, asked,
    card("Run", "", false, table([], run.facts, "facts")),
    card("Scenario", "", true, node("details", {}, node("summary", {}, "with every default"), node("pre", {}, run.scenario)))].filter(Boolean));
  return section;
}
function limits(i) { return i && i.low !== null ? `${show(i.mean, 3)} (${show(i.low, 3)} to ${show(i.high, 3)})` : i ? show(i.mean, 3) : "-"; }
function comparison() {
  if (!data.comparison.length) return null;
  const runs = data.parts.filter((p) => p.kind === "run"), cards = node("div", { class: "cards" });
  for (const row of data.comparison) {
    const body = Object.entries(row.metrics).map(([name, [a, b]]) => [data.metrics[name], show(a), show(b),
      name === "accuracy" ? limits(row.difference) : a === null || b === null ? "-" : show(b - a)]);
    cards.append(card(row.answer, "Difference of accuracies with Newcombe's 95 % interval over messages; other differences of single runs have no interval.",
      false, table(["", `${runs[0].title} (${runs[0].folder})`, `${runs[row.other].title} (${runs[row.other].folder})`, "difference"], body)));
  }
  return node("div", {}, node("h2", {}, "Side by side"), cards);
}
function campaignSection(c) {
  const cards = node("div", { class: "cards" });
  const answers = distinct(c.rows.map((r) => r.answer));
  if (c.rows.length) {
    const parts = filtered([["metric", "metric", Object.entries(c.metrics)], ["answer", "task", answers.map((a) => [a, a])]], (state) => {
      const rows = c.rows.filter((r) => r.metric === state.metric && r.answer === state.answer)
        .map((r) => ({ ...r, label: r.setting.join(", ") || "all" }));
      return node("div", {}, intervalChart(rows, { xlabel: c.metrics[state.metric], width: 1150 }),
        table([c.fields.join(", ") || "setting", "mean (95 % interval, Student's t over seeds)", "seeds", "difference from the first (paired by seed)"],
          rows.map((r) => [r.label, limits(r), r.n, limits(r.difference)])));
    });
    cards.append(card("Settings", "", true, ...parts));
  }
  if (c.failed.length) cards.append(card("Runs without result", "", true, table(["run", "status", "reason"], c.failed.map((f) => [f.run, f.status, f.reason]))));
  cards.append(card("Design", "", true, node("details", {}, node("summary", {}, "definition"), node("pre", {}, c.definition))));
  const left = c.runs - c.finished;
  return node("div", {}, node("h2", {}, c.title), left ? node("div", { class: "warning" }, `${left} of ${c.runs} runs have no result.`) : null, cards);
}
const side = comparison();
if (side) main.append(side);
for (const part of data.parts) main.append(part.kind === "run" ? runSection(part) : campaignSection(part));
if (location.hash === "#selftest") {
  // Every selection once, for the test in a browser: nothing may fail, and curves must change.
  const before = document.querySelectorAll(".series").length, counts = [];
  for (const select of document.querySelectorAll("select")) {
    for (const option of select.options) { select.value = option.value; select.dispatchEvent(new Event("change")); counts.push(document.querySelectorAll(".series").length); }
  }
  for (const button of document.querySelectorAll(".legend button")) button.click();
  document.documentElement.dataset.selftest = `${before} ${distinct(counts).length} ${counts.length}`;
}
mark();
