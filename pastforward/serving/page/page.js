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

async function begin() {  // a new memory; the old one is given back
  if (session) call("DELETE", `/api/sessions/${session}`).catch(() => {});
  ({ session } = await post("/api/sessions", {}));
  show({ steps: steps = 0 });
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

function chart(canvas, lines, low, high, length) {  // lines: [values or pairs of them, colour]
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
    pen.fillStyle = pen.strokeStyle = css(colour);
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
const column = (rows, c) => rows.map((row) => row[c]);
const quantile = (sorted, q) => sorted[Math.round(q * (sorted.length - 1))];

const views = {
  text() {
    $("prompt").value = facts.examples[0]?.text ?? "";
    $("interface").hidden = false;
    const write = (given) => draw({ count: +$("count").value, temperature: +$("temperature").value },
      (event) => $("written").append(event.text));
    act("go", async () => {
      await begin();
      const given = $("prompt").value;
      $("written").innerHTML = "<span class=given></span>";
      $("written").firstChild.textContent = given;
      if (given) await read({ text: given });
      await write();
    });
    act("more", async () => { if (!session) await begin(); await write(); });
  },
  image() {
    let chosen = facts.examples[0]?.x ?? [];
    $("rows").max = facts.height - 1;
    $("rows").value = chosen.length ? facts.height / 2 : 0;
    $("rows").disabled = !chosen.length;
    facts.examples.forEach(({ x }, n) => {
      const small = $("examples").appendChild(document.createElement("canvas"));
      pixels(small, x);
      small.className = n ? "" : "chosen";
      small.addEventListener("click", () => {
        $("examples").querySelector(".chosen").className = "";
        small.className = "chosen";
        chosen = x;
        $("go").click();
      });
    });
    act("go", async () => {
      await begin();
      const rows = +$("rows").value, given = chosen.slice(0, rows * facts.wide);
      $("drawn").replaceChildren(...Array.from({ length: 6 }, () => document.createElement("canvas")));
      const paths = [...$("drawn").children].map((canvas) => ({ canvas, grey: [...given] }));
      if (given.length) await read({ x: given });
      const body = { count: facts.height * facts.wide - given.length, paths: 6, keep: false };
      await draw({ ...body, temperature: +$("temperature").value }, ({ y }) => paths.forEach((path, n) => {
        path.grey.push(y[n]);
        pixels(path.canvas, path.grey, rows);
      }));
    });
  },
  series() {
    let at = 0, history;
    const charts = facts.columns.map((name) => {
      const title = $("charts").appendChild(document.createElement("p"));
      title.textContent = name;
      const canvas = $("charts").appendChild(document.createElement("canvas"));
      canvas.className = "chart low";
      return canvas;
    });
    const paint = (fan, count) => charts.forEach((canvas, c) => {
      const past = column(history, c), sorted = fan.map((rows) => column(rows, c).sort((a, b) => a - b));
      const all = past.concat(sorted.flat()), from = past.length - 1, last = past[from];
      const band = (q) => [last, ...sorted.map((s) => quantile(s, q))];
      const lines = [{ values: past, colour: "--ink" }];
      if (fan.length) lines.unshift(
        { from, values: band(.1), upper: band(.9), colour: "--pale" },
        { from, values: band(.25), upper: band(.75), colour: "--mid" },
        { from, values: band(.5), colour: "--main" });
      chart(canvas, lines, Math.min(...all), Math.max(...all), past.length + count);
    });
    const pick = () => paint([], history = (facts.examples[at]?.x ?? []).slice(-96), +$("count").value);
    act("other", async () => { at = (at + 1) % facts.examples.length; pick(); });
    act("go", async () => {
      await begin();
      if (history.length) await read({ x: history });
      const fan = [], count = +$("count").value;
      await draw({ count, paths: 48, keep: false }, ({ y }) => { fan.push(y); paint(fan, count); });
    });
    pick();
  },
  labels() {
    let at = 0, example, course = [];
    const classes = facts.classes.length ? facts.classes : null;
    const answer = (found) => {
      const order = found.map((v, n) => [v, n]).sort((a, b) => b[0] - a[0]).slice(0, 12);
      $("bars").replaceChildren(...(classes ? order.sort((a, b) => a[1] - b[1]) : order).map(([v, n]) => {
        const bar = document.createElement("div");
        bar.className = "bar";
        bar.innerHTML = "<span></span><i><b></b></i><span></span>";
        bar.children[0].textContent = classes ? classes[n] : `number ${n + 1}`;
        bar.querySelector("b").style.width = classes ? `${100 * v}%` : 0;
        bar.children[2].textContent = classes ? `${(100 * v).toFixed(1)}%` : v.toPrecision(4);
        return bar;
      }));
    };
    const rows = () => example.x.map((row) => [].concat(row));
    const paint = () => {
      const all = rows(), flat = all.flat(), shown = all.slice(0, course.length);
      const range = [Math.min(...flat), Math.max(...flat), all.length];
      const lines = all[0].slice(0, 6).map((_, c) => ({ values: column(shown, c), colour: c ? "--mid" : "--main" }));
      chart($("input"), [{ values: column(all, 0), colour: "--line" }, ...lines], ...range);
      const tops = course.map((p) => Math.max(...p));
      if (classes) chart($("course"), [{ values: tops.map(() => 0), colour: "--line" },
        ...course[0]?.map((_, n) => ({ values: column(course, n), colour: n ? "--mid" : "--main" })) ?? []], 0, 1, all.length);
    };
    const pick = () => {
      example = facts.examples[at] ?? { x: [0], text: "" };
      course = [];
      $("truth").textContent = example.truth === undefined ? "" : `truth: ${example.truth}`;
      $("prompt").hidden = !facts.reads_text;
      $("input").hidden = facts.reads_text;
      if (facts.reads_text) $("prompt").value = example.text; else paint();
    };
    act("other", async () => { at = (at + 1) % Math.max(1, facts.examples.length); pick(); });
    act("go", async () => {
      await begin();
      course = [];
      const text = facts.reads_text, given = text ? [...$("prompt").value] : example.x;
      for (let t = 0; t < given.length && !halt; t++) {
        const [found] = (await read(text ? { text: given[t] } : { x: [given[t]] })).answers.slice(-1);
        course.push(found);
        answer(found);
        if (!text) paint();
        await pause();
      }
    });
    pick();
  },
};

(async () => {
  facts = await (await fetch("/api/facts")).json();
  document.title = $("name").textContent = facts.name;
  const size = facts.slots * facts.width;
  $("what").textContent = `${facts.cell}, ${facts.parameters.toLocaleString()} parameters, ` +
    `a memory of ${facts.slots} × ${facts.width} numbers`;
  $("formula").textContent = `State: ${size} numbers × 4 bytes. KV cache of one Transformer layer of the same width: ` +
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
