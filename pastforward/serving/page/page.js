"use strict";
const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
let facts, session, steps = 0, halt = false;

async function call(method, path, body) {
  const answer = await fetch(path, { method, body: body && JSON.stringify(body),
    headers: body ? { "Content-Type": "application/json" } : {} });
  if (!answer.ok) throw Error((await answer.json()).error.message);
  return answer;
}
const post = async (path, body) => (await call("POST", path, body)).json();
const read = (body) => post(`/api/sessions/${session}/read`, body).then((found) => (show(found), found));

async function begin(body = {}) {  // a new memory; the old one is given back
  if (session) call("DELETE", `/api/sessions/${session}`).catch(() => {});
  const begun = await post("/api/sessions", body);
  session = begun.session;
  show(begun);
}
async function draw(body, told) {  // events of the server, one a step
  const reader = (await call("POST", `/api/sessions/${session}/draw`, body)).body
    .pipeThrough(new TextDecoderStream()).getReader();
  let text = "", before = steps;
  for (let part; !(part = await reader.read()).done;) {
    const lines = (text + part.value).split("\n\n");
    text = lines.pop();
    for (const line of lines.filter((l) => l !== "data: [DONE]")) {
      const event = JSON.parse(line.slice(6));
      if (event.error) throw Error(event.error.message);
      told(event);
      show({ steps: before + event.step, microseconds: event.microseconds });
    }
    if (halt) return reader.cancel();
  }
}
function bytes(n) {
  const unit = n < 1024 ? 0 : n < 1048576 ? 1 : 2;
  return `${(n / 1024 ** unit).toFixed(unit && n < 102400 * 1024 ** (unit - 1) ? 1 : 0)} ${["B", "KiB", "MiB"][unit]}`;
}
let smooth;
function show(found) {
  steps = found.steps ?? steps;
  if (found.microseconds) smooth = smooth ? 0.9 * smooth + 0.1 * found.microseconds : found.microseconds;
  $("microseconds").textContent = Math.round(smooth ?? facts.microseconds).toLocaleString();
  $("steps").textContent = steps.toLocaleString();
  $("state").textContent = bytes(facts.state_bytes);
  $("cache").textContent = bytes(2 * facts.slots * facts.width * steps * 4);
}
// What is asked for runs until it ends; one thing at a time.
const act = (id, work) => $(id).addEventListener("click", async () => {
  const buttons = [...document.querySelectorAll("button:not(#stop)")];
  halt = false;
  $("said").hidden = true;
  buttons.forEach((b) => b.disabled = true);
  try { await work(); } catch (error) { $("said").textContent = error.message; $("said").hidden = false; }
  buttons.forEach((b) => b.disabled = false);
});
const pause = () => new Promise((done) => setTimeout(done, 25));

function chart(canvas, lines, low, high, length) {  // a line, or a band up to `upper`
  const scale = devicePixelRatio, pen = canvas.getContext("2d");
  const wide = canvas.clientWidth, tall = canvas.clientHeight;
  [canvas.width, canvas.height] = [wide * scale, tall * scale];
  pen.scale(scale, scale);
  const x = (t) => 6 + t / Math.max(1, length - 1) * (wide - 12);
  const y = (v) => tall - 8 - (v - low) / (high - low || 1) * (tall - 16);
  for (const { from = 0, values, upper, colour } of lines) {
    pen.beginPath();
    values.forEach((v, t) => pen.lineTo(x(from + t), y(v)));
    if (upper) upper.map((v, t) => [v, t]).reverse().forEach(([v, t]) => pen.lineTo(x(from + t), y(v)));
    pen.fillStyle = pen.strokeStyle = colour.startsWith("--") ? css(colour) : colour;
    pen.lineWidth = 1.8;
    upper ? pen.fill() : pen.stroke();
  }
}
function pixels(canvas, grey, line) {  // values 0..levels-1; a line above the rows that are drawn
  [canvas.width, canvas.height] = [facts.wide, facts.height];
  const pen = canvas.getContext("2d");
  grey.forEach((v, i) => {
    const level = Math.round(255 * v / (facts.levels - 1));
    const given = line !== undefined && i < line * facts.wide;
    pen.fillStyle = given ? `rgb(${level * .55} ${level * .75} ${level})` : `rgb(${level} ${level} ${level})`;
    pen.fillRect(i % facts.wide, Math.floor(i / facts.wide), 1, 1);
  });
}
(async () => {
  facts = await (await fetch("/api/facts")).json();
  document.title = $("name").textContent = facts.name;
  const size = facts.slots * facts.width;
  $("what").textContent = `${facts.cell}, ${facts.parameters.toLocaleString()} parameters, ` +
    `a memory of ${facts.slots} × ${facts.width} numbers`;
  const rows = facts.rows_kept ? ` and the last ${facts.rows_kept} row(s) of ${facts.columns.length}` : "";
  $("formula").textContent = `State: ${size} numbers${rows}, × 4 bytes. KV cache of one Transformer layer of the same width: ` +
    `2 (key and value) × ${size} × t × 4 bytes; each further layer as much again.`;
  $("view").append($(facts.view).content.cloneNode(true));
  document.querySelectorAll("label").forEach((label) => {
    const [input, output] = [label.querySelector("input"), label.querySelector("output")];
    if (output) input.addEventListener("input", () => output.textContent = input.value);
  });
  views[facts.view]();
  document.querySelectorAll("label output").forEach((o) => o.textContent = o.parentNode.querySelector("input").value);
  $("stop")?.addEventListener("click", () => halt = true);
  show({});
  document.body.dataset.ready = "yes";
})();
