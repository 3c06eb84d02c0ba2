// Relative times, charts and their tables, and whether what is shown is live. Everything else is HTML from the server.
(() => {
  "use strict";
  const MAX_ROWS = 40;
  const DASHES = { limit: [6, 4], warning: [2, 3], target: [6, 4] };
  const ROLES = { new: "--new", baseline: "--baseline", limit: "--limit", warning: "--warn", target: "--target" };
  const charts = new Map();
  let latest = null;
  let late = "";

  // Times.

  function age(seconds) {
    const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
    const whole = Math.max(0, Math.floor(seconds));
    for (let i = 0; i < units.length; i++) {
      const [size, letter] = units[i];
      if (whole >= size) {
        const many = Math.floor(whole / size);
        const rest = i + 1 < units.length && many < 10 ? Math.floor((whole % size) / units[i + 1][0]) : 0;
        return many + " " + letter + (rest ? " " + rest + " " + units[i + 1][1] : "");
      }
    }
    return "0 s";
  }

  function sayAges() {
    const now = Date.now();
    for (const each of document.querySelectorAll("time[data-relative]")) {
      const seconds = (now - Date.parse(each.dateTime)) / 1000;
      const text = seconds >= 0 ? age(seconds) + " ago" : "in " + age(-seconds);
      if (each.textContent !== text) each.textContent = text;
    }
  }

  // Numbers.

  function figure(value, unit) {
    if (value == null) return "–";
    const size = Math.abs(value);
    const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    const text = value.toLocaleString("en", { maximumFractionDigits: digits });
    return unit === "%" ? text + "%" : unit ? text + " " + unit : text;
  }

  function last(values) {
    for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return values[i];
    return null;
  }

  // Charts.

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function markers() {
    return {
      hooks: {
        draw: (plot) => {
          const context = plot.ctx;
          context.save();
          for (const marker of latest.markers) {
            const x = Math.round(plot.valToPos(marker.at, "x", true));
            if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
            context.strokeStyle = colour(marker.way === "down" ? "--bad" : "--good");
            context.globalAlpha = 0.7;
            context.lineWidth = devicePixelRatio;
            context.setLineDash([]);
            context.beginPath();
            context.moveTo(x, plot.bbox.top);
            context.lineTo(x, plot.bbox.top + plot.bbox.height);
            context.stroke();
          }
          context.restore();
        },
      },
    };
  }

  function options(place, curve, legend) {
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    return {
      width: Math.max(200, place.clientWidth),
      height: 170,
      padding: [8, 30, null, null],  // half of the last time's width
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
      axes: [
        { ...axis, space: 90, values: [[86400, "{MMM} {D}"], [3600, "{HH}:{mm}", "\n{MMM} {D}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]]
          .map((row) => [row[0], row[1], row[2] || null, null, null, null, null, null, 1]) },
        { ...axis, size: (_, labels) => Math.max(40, ...(labels ?? []).map((label) => label.length * 7 + 24)), values: (_, ticks) => ticks.map((tick) => figure(tick, curve.unit)) },
      ],
      series: [{}, ...curve.lines.map((line) => ({
        label: line.label,
        stroke: colour(ROLES[line.role]),
        width: line.role === "new" ? 2 : 1.5,
        dash: DASHES[line.role],
        points: { show: false },
        spanGaps: line.role === "target",
        paths: line.role === "target" ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }))],
      plugins: [markers()],
      hooks: { setCursor: [(plot) => sayLegend(legend, charts.get(place.id).curve, plot.cursor.idx)] },
    };
  }

  function sayLegend(legend, curve, index) {
    const items = curve.lines.map((line) => {
      const item = document.createElement("li");
      item.className = line.role;
      const value = document.createElement("b");
      value.textContent = figure(index == null ? last(line.values) : line.values[index], curve.unit);
      item.append(line.label + " ", value);
      return item;
    });
    if (index != null) {
      const item = document.createElement("span");
      item.textContent = new Date(latest.times[index] * 1000).toISOString().slice(0, 19).replace("T", " ");
      items.push(item);
    }
    legend.replaceChildren(...items);
  }

  function draw(place) {
    const curve = latest.curves.find((each) => each.name === place.dataset.curve);
    const drawn = charts.get(place.id);
    if (!curve) {
      forget(place.id);
      const nothing = document.createElement("p");
      nothing.className = "quiet";
      nothing.textContent = "No data to draw in this time.";
      place.replaceChildren(nothing);
      place.removeAttribute("role");
      place.removeAttribute("aria-label");
      return;
    }
    const words = curve.lines.map((line) => line.label + " " + figure(last(line.values), curve.unit)).join(", ");
    const data = [latest.times, ...curve.lines.map((line) => line.values)];
    const shape = curve.lines.map((line) => line.role).join();
    if (drawn && drawn.shape === shape && drawn.place === place) {
      drawn.curve = curve;
      drawn.plot.setData(data);
      sayLegend(drawn.legend, curve, drawn.plot.cursor.idx);
    } else {
      forget(place.id);
      const image = document.createElement("div");
      image.setAttribute("role", "img");
      const legend = document.createElement("ul");
      legend.className = "legend";
      place.replaceChildren(image, legend);
      const made = { curve, shape, place, legend, image, plot: null };
      charts.set(place.id, made);
      made.plot = new uPlot(options(place, curve, legend), data, image);
      sayLegend(legend, curve, null);
    }
    charts.get(place.id).image.setAttribute("aria-label", "Chart of " + place.dataset.title + ". Newest: " + words);
  }

  function forget(id) {
    charts.get(id)?.plot?.destroy();
    charts.delete(id);
  }

  function cell(kind, text) {
    const made = document.createElement(kind);
    made.textContent = text;
    if (kind === "th") made.scope = "col";
    return made;
  }

  function moment(seconds) {
    const text = new Date(seconds * 1000).toISOString();
    const day = latest.times[latest.times.length - 1] - latest.times[0] > 86400;
    return day ? text.slice(0, 16).replace("T", " ") : text.slice(11, 19);
  }

  function fillTable(place) {
    if (!place.closest("details").open) return;
    const curve = latest.curves.find((each) => each.name === place.dataset.table);
    if (!curve) return place.replaceChildren("No data in this time.");
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    head.append(cell("th", "Time (UTC)"), ...curve.lines.map((line) => cell("th", line.label)));
    const body = table.createTBody();
    const every = Math.ceil(latest.times.length / MAX_ROWS);
    for (let i = latest.times.length - 1; i >= 0; i -= every) {
      const row = body.insertRow();
      row.append(cell("td", moment(latest.times[i])));
      row.append(...curve.lines.map((line) => cell("td", figure(line.values[i], curve.unit))));
    }
    place.tabIndex = 0;
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", "Numbers of the chart " + curve.name);
    place.replaceChildren(table);
  }

  function sayProblem() {
    const place = document.getElementById("curves-problem");
    if (!place) return;
    place.textContent = [late, latest?.problem].filter(Boolean).join(" ");
    place.hidden = !place.textContent;
  }

  function drawAll() {
    if (!latest) return;
    sayProblem();
    document.querySelectorAll(".plot").forEach(draw);
    document.querySelectorAll(".plot-table").forEach(fillTable);
  }

  function redraw() {
    for (const id of [...charts.keys()]) forget(id);
    drawAll();
  }

  // Live.

  const LIVE = {
    live: "live",
    wait: "connecting",
    lost: "connection lost, trying again",
    busy: "not live: too many viewers",
    blind: "not live: it cannot be read now",
    foreign: "not live: signed out",
  };
  const COLOURS = { busy: "wait", blind: "lost", foreign: "lost" };
  const SILENCE_MS = 45000;  // three times the quiet after which the server says that it is there
  const AGAIN_MS = [1000, 2000, 4000, 8000, 15000];
  let connection = null;
  let heard = 0;
  let failures = 0;
  let foreign = false;

  function sayLive(state) {
    const place = document.getElementById("live");
    if (!place || place.dataset.kind === state) return;
    place.dataset.kind = state;
    place.dataset.state = COLOURS[state] ?? state;
    place.textContent = LIVE[state];
  }

  function sayLost() {
    sayLive(foreign ? "foreign" : "lost");
  }

  // A connection of which nothing is heard any more looks like a quiet one. It is given up, and another one is opened.
  function endSilence() {
    if (document.hidden || !connection || Date.now() - heard < SILENCE_MS) return;
    heard = Date.now();
    sayLost();
    connection.reader?.cancel().catch(() => {});
  }

  // htmx opens again only what was open before: without this a first request that fails would be the last one.
  function openAgain(view) {
    sayLost();
    const wait = AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)] * (0.7 + 0.6 * Math.random());
    failures += 1;
    setTimeout(() => htmx.ajax("GET", view.getAttribute("data-hx-sse:connect"), { source: view }), wait);
  }

  function sayTrouble(...text) {
    const place = document.getElementById("trouble");
    if (place) {
      place.replaceChildren(...text);
      place.hidden = !place.textContent;
    }
  }

  function sayForeign() {
    const again = document.createElement("a");
    again.href = "";
    again.textContent = "Reload to sign in again";
    sayTrouble("Not this page answers, but what stands before it: most likely you are signed out there. Nothing new is shown. ", again, ".");
  }

  // A proxy's page in place of the stream would be shown as if it were a rollout. Neither htmx nor its extension looks at what it
  // is that was answered, and no redirect is followed: the stream has none of its own.
  const ask = window.fetch.bind(window);
  window.fetch = async (request, how) => {
    const answer = await ask(request, { ...how, redirect: "manual" });
    const isPage = answer.ok && !answer.headers.get("Content-Type")?.includes("text/event-stream");
    foreign = isPage || answer.type === "opaqueredirect" || answer.status === 403;
    if (!foreign) return answer;
    sayForeign();
    answer.body?.cancel().catch(() => {});
    throw new Error("what was answered is not the page's stream");
  };

  document.addEventListener("DOMContentLoaded", () => {
    const view = document.getElementById("view");
    sayAges();
    setInterval(sayAges, 1000);
    if (!view) return;
    setInterval(endSilence, 1000);
    view.addEventListener("busy", () => {
      sayTrouble();
      sayLive("busy");
    });
    view.addEventListener("problem", (event) => {  // an empty one comes after the state, and says that this is how things are
      sayTrouble(event.detail.data);
      sayLive(event.detail.data ? "blind" : "live");
    });
    view.addEventListener("curves", (event) => {
      latest = JSON.parse(event.detail.data);
      drawAll();
    });
    view.addEventListener("late", (event) => {
      late = event.detail.data;
      sayProblem();
    });
    document.addEventListener("htmx:sse:before:connection", (event) => {
      connection = event.detail.connection;
      heard = Date.now();
      failures = 0;
      if (document.getElementById("live")?.dataset.kind === "live") sayLive("wait");
    });
    document.addEventListener("htmx:sse:before:message", () => {
      heard = Date.now();
    });
    document.addEventListener("htmx:sse:after:message", () => {
      sayAges();
      if (latest && [...document.querySelectorAll(".plot")].some((place) => !charts.has(place.id))) drawAll();
    });
    document.addEventListener("htmx:sse:close", (event) => {
      connection = null;
      if (event.detail.reason === "ended") openAgain(view);
    });
    document.addEventListener("htmx:finally:request", (event) => {
      if (connection) return;
      if (event.detail.ctx.response?.status === 401) location.reload();
      else openAgain(view);
    });
    document.addEventListener("htmx:sse:error", (event) => {
      if (event.detail.status === 401) location.reload();
      sayLost();
    });
    document.addEventListener("toggle", (event) => {
      const table = latest && event.target.querySelector?.(".plot-table");
      if (table) fillTable(table);
    }, true);
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      for (const { plot, place } of charts.values()) plot.setSize({ width: Math.max(200, place.clientWidth), height: 170 });
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  });
})();
