"use strict";
(async () => {
  const detail = document.getElementById("detail");
  const unpack = (text) => new Response(new ReadableStream({
    start(s) { s.enqueue(Uint8Array.from(atob(text), (c) => c.charCodeAt(0))); s.close(); },
  }).pipeThrough(new DecompressionStream("gzip"))).json();
  const data = detail.type === "application/gzip" ? await unpack(detail.textContent) : JSON.parse(detail.textContent);
  const panel = document.getElementById("panel");
  const grid = document.querySelector(".grid");
  const lazy = grid && grid.classList.contains("lazy");
  const results = data.results;
  // The rows by check: where in results each cell's is, and which verdicts there are.
  const rows = new Map();
  if (grid) for (const tr of grid.querySelectorAll("tr[data-check]")) rows.set(tr.dataset.check, { tr, at: [], verdicts: new Set() });
  results.forEach((r, i) => { const row = rows.get(r.check); row.at[r.cell] = i; row.verdicts.add(r.verdict); });
  // stop is the one tile in the tab order, current the one whose detail is shown.
  let stop = -1, current = -1;

  // Everything a guest printed reaches the page as text, never as markup.
  const el = (tag, attrs, ...kids) => {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(attrs || {})) {
      if (k === "onclick") e.addEventListener("click", v);
      else if (v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
    }
    e.append(...kids.filter((k) => k !== null && k !== undefined && k !== ""));
    return e;
  };
  const label = (r) => `${r.verdict} ${r.check} on ${data.cells[r.cell].id}` + (r.cached ? ", from the cache" : "")
    + (r.askedIn ? ", asked in " + r.askedIn : "") + (r.retried ? ", at the second try" : "");

  // A browser takes seconds for the tiles of all rows of a large grid: those that are seen have theirs.
  const fill = (row) => {
    if (!lazy || row.tr.cells.length > 1) return;
    row.tr.append(...data.cells.map((_, c) => {
      const i = row.at[c], r = results[i];
      return el("td", { role: "gridcell" }, r && el("button", {
        type: "button", tabindex: i === stop ? 0 : -1, class: "v-" + r.verdict + (r.retried ? " retried" : ""), "data-i": i, "data-v": r.verdict,
        title: label(r), "aria-label": label(r), "aria-current": i === current,
      }, data.glyphs[r.verdict]));
    }));
  };
  const empty = (row) => { if (!row.at.includes(stop) && !row.at.includes(current)) row.tr.replaceChildren(row.tr.cells[0]); };
  const rowOf = (at) => rows.get(results[at].check);
  const tile = (at) => {
    if (!results[at]) return null;
    fill(rowOf(at));
    return rowOf(at).tr.querySelector(`button[data-i="${at}"]`);
  };
  if (lazy) {
    const seen = new IntersectionObserver((entries) => {
      for (const e of entries) (e.isIntersecting ? fill : empty)(rows.get(e.target.dataset.check));
    }, { root: grid.closest(".scroll"), rootMargin: "300px" });
    for (const row of rows.values()) seen.observe(row.tr);
    addEventListener("beforeprint", () => rows.forEach(fill));
  }

  const section = (title, ...kids) => {
    const shown = kids.filter(Boolean);
    return shown.length ? [el("h4", {}, title), ...shown] : [];
  };

  const facts = (pairs) => el("dl", { class: "facts" },
    ...pairs.filter(([, v]) => v).flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, v)]));

  const tower = (cell, r) => el("ol", { class: "tower", reversed: true },
    ...cell.layers.filter((l) => l.name !== "harness" || r.layer === "harness").map((l) => {
      const struck = l.name === r.layer;
      const short = l.name.split(" ")[0];
      const accel = l.name === "L2" ? (r.accelerators || {}).L2 : l.name === "L1 kernel" ? (r.accelerators || {}).L1 : "";
      const what = l.what || (l.name === "L0" ? r.emulator : "") || (l.name === "harness" ? r.harness : "") || (short === "L2" ? "the guest" : "");
      const mark = struck ? (r.verdict === "INFRA" ? "gave no answer" : "failed here") : accel;
      return el("li", { class: struck ? (l.name === "harness" || l.name === "L0" ? "struck ours" : "struck") : false },
        el("b", {}, l.name), el("span", {}, what || ""), el("em", {}, mark || ""));
    }));

  const copyable = (text) => {
    const button = el("button", { type: "button", onclick: async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = "copied"; }
      catch { getSelection().selectAllChildren(pre); button.textContent = "selected"; }
    } }, "copy");
    const pre = el("pre", {}, text);
    return el("div", { class: "copy" }, pre, button);
  };

  const size = (n) => n < 1024 ? n + " B" : n < 1048576 ? (n / 1024).toFixed(1) + " KiB" : (n / 1048576).toFixed(1) + " MiB";

  const evidence = (e) => !e ? [] : section("evidence",
    ...(e.files || []).map((f) => el("details", {},
      el("summary", {}, f.name + " ", el("small", {}, size(f.size) + (f.note ? " · " + f.note : ""))),
      f.text ? el("pre", { tabindex: 0 }, f.text) : null)),
    e.note ? el("p", { class: "path" }, e.note) : null,
    el("p", { class: "path" }, e.path));

  const packages = (images) => (images || []).map((i) => el("details", {},
    el("summary", {}, i.role + " ", el("small", {}, `${i.release} · ${i.count} packages · ${i.key.slice(0, 12)}`)),
    el("ul", { class: "pk" }, ...(i.leading || []).map((p) => el("li", {}, `${p.name} ${p.version}`)))));

  // The same check on every cell: where else it went wrong is half the answer.
  const elsewhere = (at) => el("div", { class: "row" }, ...rowOf(at).at.filter((i) => i !== undefined).map((i) => el("button", {
    type: "button", class: "v-" + results[i].verdict, title: label(results[i]), "aria-label": label(results[i]),
    "aria-current": i === at ? "true" : false, onclick: () => open(i),
  }, data.glyphs[results[i].verdict])));

  const open = (at, focus) => {
    if (!results[at]) return;
    const r = { ...data.runs[results[at].run], ...results[at] };
    const cell = data.cells[r.cell];
    if (r.repeat) r.repeat = r.repeat.replaceAll("{cell}", cell.id).replaceAll("{check}", r.check);
    tile(current)?.removeAttribute("aria-current");
    current = at;
    const tries = [r.attempts > 1 ? r.attempts + " attempts" : "", (r.earlier || []).length ? "earlier answers: " + r.earlier.join(", ") : ""].filter(Boolean).join("; ");
    panel.replaceChildren(
      el("button", { type: "button", class: "close", "aria-label": "close", onclick: close }, "×"),
      el("h2", {}, r.check), el("p", { class: "cell" }, cell.id),
      el("span", { class: "badge v-" + r.verdict }, r.verdict),
      el("span", { class: "meaning" }, data.meaning[r.verdict] + (r.retried ? ", but only at the second try" : "")),
      ...section(r.verdict === "PASS" ? "note" : "reason", r.reason ? el("pre", { tabindex: 0 }, r.reason) : null),
      ...section("known", r.ruling ? el("p", { class: "known" }, r.ruling) : null),
      ...section("where", tower(cell, r)),
      ...section("on every cell", elsewhere(at)),
      ...section("facts", facts([
        ["blocked by", r.blockedBy], ["asked in", r.askedIn], ["answer", r.cached], ["took", r.took && `${r.took}, ${r.guest} of it waiting for guests`], ["tries", tries],
        ["started", r.started], ["tier", cell.tier], ["packages", cell.composition],
        ["L0 emulator", r.emulator], ["accelerators", Object.entries(r.accelerators || {}).sort().map((a) => a.join(" ")).join(", ")],
        ["harness", r.harness]])),
      ...section("repeat", r.repeat ? copyable(r.repeat) : null),
      ...section("L2's own words", (r.said || []).length ? el("pre", { class: "said", tabindex: 0 }, r.said.join("\n")) : null),
      ...section("notes", (r.notes || []).length ? el("pre", {}, r.notes.join("\n")) : null),
      ...section("quirks applied", (r.quirks || []).length ? el("pre", {}, r.quirks.join("\n")) : null),
      ...evidence(r.evidence),
      ...section("package sets", ...packages(r.images || cell.images)));
    panel.hidden = false;
    panel.scrollTop = 0;
    const shown = tile(at);
    if (shown) { shown.setAttribute("aria-current", "true"); shown.scrollIntoView({ block: "nearest", inline: "nearest" }); roam(at); }
    if (focus) panel.focus({ preventScroll: true });
    history.replaceState(null, "", "#" + encodeURIComponent(cell.id) + "/" + encodeURIComponent(r.check));
  };
  const close = () => {
    panel.hidden = true;
    const shown = tile(current);
    if (shown) { shown.removeAttribute("aria-current"); shown.focus(); }
    current = -1;
    history.replaceState(null, "", location.pathname + location.search);
  };

  // One tile is in the tab order; arrow keys move it.
  const roam = (at) => {
    const old = tile(stop), now = tile(at);
    stop = at;
    if (old) old.tabIndex = -1;
    now.tabIndex = 0;
  };
  const step = (at, dx, dy) => {
    const shown = [...rows.values()].filter((row) => !row.tr.classList.contains("none"));
    let y = shown.indexOf(rowOf(at)), x = results[at].cell;
    for (;;) {
      x += dx; y += dy;
      if (!shown[y] || x < 0 || x >= data.cells.length) return -1;
      if (shown[y].at[x] !== undefined && !hidden.has(x)) return shown[y].at[x];
    }
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (results.length) {
    roam(Math.max(results.findIndex((r) => r.verdict === "FAIL"), 0));
    grid.addEventListener("keydown", (e) => {
      const move = arrows[e.key], from = e.target.closest("td button");
      if (!move || !from) return;
      e.preventDefault();
      const next = step(+from.dataset.i, ...move);
      if (next < 0) return;
      roam(next); tile(next).focus();
      if (!panel.hidden) open(next);
    });
    let hot = [];
    grid.addEventListener("mouseover", (e) => {
      const td = e.target.closest("td");
      for (const t of hot) t.classList.remove("hot");
      hot = td && td.parentElement.dataset.check !== undefined
        ? [...rows.values()].map((row) => row.tr.cells[td.cellIndex]).filter(Boolean).concat([...td.parentElement.querySelectorAll("td")]) : [];
      for (const t of hot) t.classList.add("hot");
    });
    grid.addEventListener("mouseleave", () => { for (const t of hot) t.classList.remove("hot"); hot = []; });
  }
  document.addEventListener("click", (e) => {
    const b = e.target.closest("button[data-i]");
    if (b && !panel.contains(b)) open(+b.dataset.i, true);
  });
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && !panel.hidden) close(); });

  // Filters: the chosen verdicts and a part of a check's name.
  const chosen = new Set(), find = document.getElementById("find");
  const filter = () => {
    const text = find.value.trim().toLowerCase();
    for (const v of Object.keys(data.glyphs)) grid.classList.toggle("dim-" + v, chosen.size > 0 && !chosen.has(v));
    for (const [check, { tr, verdicts }] of rows) {
      tr.classList.toggle("none", !check.toLowerCase().includes(text) || chosen.size > 0 && ![...chosen].some((v) => verdicts.has(v)));
    }
    for (const body of grid.tBodies) body.querySelector(".area").classList.toggle("none", !body.querySelector("tr[data-check]:not(.none)"));
    for (const p of document.querySelectorAll(".problem")) p.classList.toggle("none", chosen.size > 0 && !chosen.has(p.dataset.v));
  };
  for (const chip of document.querySelectorAll(".chip")) chip.addEventListener("click", () => {
    const v = chip.dataset.verdict;
    if (!chosen.delete(v)) chosen.add(v);
    chip.setAttribute("aria-pressed", chosen.has(v));
    filter();
  });
  if (find) find.addEventListener("input", filter);

  // Axes: the chosen values of each, and the columns that have none of them. The heads say which
  // columns have which value.
  const wanted = new Map(), hidden = new Set(), axes = document.getElementById("axes");
  const heads = grid ? [...grid.tHead.rows].map((tr) => ({
    axis: tr.cells[0].textContent, ths: [...tr.cells].slice(1).map((th) => ({ th, span: th.colSpan, value: th.title.trim() })),
  })) : [];
  const of = heads.map((h) => h.ths.flatMap((t) => Array(t.span).fill(t.value)));
  const sheet = document.styleSheets[0];
  const fold = () => {
    while (hidden.size) { hidden.delete([...hidden][0]); sheet.deleteRule(sheet.cssRules.length - 1); }
    data.cells.forEach((_, c) => {
      if (heads.every((h, i) => !wanted.get(h.axis)?.size || wanted.get(h.axis).has(of[i][c]))) return;
      hidden.add(c);
      sheet.insertRule(`.grid tr[data-check] > td:nth-of-type(${c + 1}) { display: none }`, sheet.cssRules.length);
    });
    for (const h of heads) {
      let from = 0;
      for (const t of h.ths) {
        let left = 0;
        for (let c = from; c < from + t.span; c++) if (!hidden.has(c)) left++;
        from += t.span;
        t.th.classList.toggle("none", left === 0);
        t.th.colSpan = left || 1;
      }
    }
    const left = data.cells.length - hidden.size;
    for (const td of grid.querySelectorAll("tr.area td")) td.colSpan = left || 1;
    if (lazy) { grid.style.width = `calc(14rem + ${left} * 25px)`; grid.querySelector("colgroup col[span]").span = left || 1; }
  };
  heads.forEach((h, i) => {
    const values = [...new Set(of[i])];
    if (values.length < 2 || values.length > 12) return;
    const chosen = new Set();
    wanted.set(h.axis, chosen);
    axes.append(el("span", { class: "axis" }, el("b", {}, h.axis), ...values.map((value) => {
      const b = el("button", { type: "button", class: "value", "aria-pressed": "false", onclick: () => {
        if (!chosen.delete(value)) chosen.add(value);
        b.setAttribute("aria-pressed", chosen.has(value));
        fold();
      } }, value);
      return b;
    })));
  });
  if (axes) axes.hidden = !axes.childElementCount;

  const root = document.documentElement, themes = ["", "light", "dark"];
  const dress = (t) => { if (t) root.dataset.theme = t; else delete root.dataset.theme; };
  let theme = "";
  try { theme = localStorage.getItem("virtmatrix-theme") || ""; } catch { /* a file: page may have no storage */ }
  dress(theme);
  document.getElementById("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    dress(theme);
    try { localStorage.setItem("virtmatrix-theme", theme); } catch { /* then it holds until the page is left */ }
  });

  const [cellID, check] = location.hash.slice(1).split("/").map((s) => { try { return decodeURIComponent(s); } catch { return s; } });
  if (check) open(data.results.findIndex((r) => data.cells[r.cell].id === cellID && r.check === check));
  document.body.dataset.ready = "";
})();
