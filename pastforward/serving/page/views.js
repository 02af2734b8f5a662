"use strict";
const column = (rows, c) => rows.map((row) => row[c]);
const quantile = (sorted, q) => sorted[Math.round(q * (sorted.length - 1))];
const hue = (n, of) => `hsl(${217 + 360 * n / of} 75% 58%)`;

const views = {
  text() {
    $("prompt").value = facts.examples[0]?.text ?? "";
    $("interface").hidden = false;
    const write = (given) => draw({ count: +$("count").value, temperature: +$("temperature").value },
      (event) => $("written").append(event.text, event.end ? "\n\n⁂\n\n" : ""));
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
    const pick = () => {
      history = facts.examples[at].x.slice(-96);
      paint([], +$("count").value);
    };
    act("other", async () => { at = (at + 1) % facts.examples.length; pick(); });
    $("count").max = facts.ahead;
    $("count").value = Math.min(48, facts.ahead);
    act("go", async () => {
      await begin({ example: at });
      const fan = [], count = +$("count").value;
      await draw({ count, paths: 48, keep: false }, ({ y }) => { fan.push(y); paint(fan, count); });
    });
    pick();
  },
  labels() {
    let at = 0, example, course = [];
    const classes = facts.classes.length ? facts.classes : null;
    const colour = (n) => hue(n, facts.classes.length);
    const answer = (found) => {  // of many classes the likeliest twelve
      const best = found.map((v, n) => [v, n]).sort((a, b) => b[0] - a[0]).slice(0, 12);
      $("bars").replaceChildren(...best.sort((a, b) => a[1] - b[1]).map(([v, n]) => {
        const bar = document.createElement("div");
        bar.className = "bar";
        bar.innerHTML = "<span></span><i><b></b></i><span></span>";
        bar.children[0].textContent = classes ? classes[n] : `number ${n + 1}`;
        bar.querySelector("b").style.width = classes ? `${100 * v}%` : 0;
        bar.querySelector("b").style.background = colour(n);
        bar.children[2].textContent = classes ? `${(100 * v).toFixed(1)}%` : v.toPrecision(4);
        return bar;
      }));
    };
    const paint = () => {
      const all = example.x.map((row) => [].concat(row)), flat = all.flat();
      const read = all.slice(0, course.length), range = [Math.min(...flat), Math.max(...flat)];
      const lines = all[0].slice(0, 6).map((_, c) => ({ values: column(read, c), colour: hue(c, 6) }));
      chart($("input"), [{ values: column(all, 0), colour: "--line" }, ...lines], ...range, all.length);
    };
    const paintCourse = (length) => {
      const found = (course[0] ?? []).map((_, n) => ({ values: column(course, n), colour: colour(n) }));
      const [low, high] = classes ? [0, 1] : [Math.min(...course.flat()), Math.max(...course.flat())];
      chart($("course"), [{ values: Array(length).fill(low), colour: "--line" }, ...found], low, high, length);
    };
    const pick = () => {
      example = facts.examples[at] ?? { x: [0], text: "" };
      course = [];
      $("truth").textContent = example.truth === undefined ? "" : `truth: ${example.truth}`;
      $("prompt").hidden = !facts.reads_text;
      $("input").hidden = facts.reads_text;
      if (facts.reads_text) $("prompt").value = example.text; else paint();
      paintCourse(1);
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
        paintCourse(given.length);
        await pause();
      }
    });
    pick();
  },
};
