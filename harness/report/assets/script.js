"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const root = document.documentElement;

  // theme: as the system, light, dark
  const themes = ["", "light", "dark"];
  const button = document.querySelector("button.theme");
  const setTheme = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    button.textContent = { "": "◐", light: "○", dark: "●" }[theme];
    button.setAttribute("aria-label", "Color theme: " + (theme || "as the system"));
    try { localStorage.setItem("harness-theme", theme); } catch { /* private window */ }
  };
  let stored = "";
  try { stored = localStorage.getItem("harness-theme") || ""; } catch { /* private window */ }
  setTheme(themes.includes(stored) ? stored : "");
  button.addEventListener("click", () => setTheme(themes[(themes.indexOf(root.dataset.theme || "") + 1) % 3]));

  // summary tables: sort by a column (largest first, smallest first, as in the suite); gaps stay last
  all("table.summary").forEach((table) => {
    const body = table.tBodies[0];
    const order = [...body.rows];
    const heads = all("thead th", table);
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const next = { none: "descending", descending: "ascending", ascending: "none" }[head.getAttribute("aria-sort")];
      heads.forEach((h) => h.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      const key = (row) => {
        const cell = row.cells[column];
        return column === 0 ? row.dataset.row : cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
      };
      const sign = next === "ascending" ? 1 : -1;
      const rows = next === "none" ? order : [...order].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (typeof x === "string" ? y.localeCompare(x) : x - y);
      });
      table.classList.toggle("sorted", next !== "none");
      body.append(...rows);
    }));
    all("input[data-lines]").forEach((box) => box.addEventListener("change", () =>
      table.classList.toggle("no-" + box.dataset.lines, !box.checked)));
  });

  // one panel of several, chosen by a select
  const choose = (select) => all("." + select.dataset.panels).forEach((panel) => {
    panel.hidden = panel.dataset.panel !== select.value;
  });
  all("select[data-panels]").forEach((select) => {
    select.addEventListener("change", () => choose(select));
    choose(select);
  });
  all("button.step").forEach((step) => step.addEventListener("click", () => {
    const select = step.parentElement.querySelector("select");
    const count = select.options.length;
    select.selectedIndex = (select.selectedIndex + Number(step.dataset.step) + count) % count;
    choose(select);
  }));

  // trade-off plot: two axes; choosing the other axis' metric swaps them
  const axis = { x: document.querySelector("select[data-axis=x]"), y: document.querySelector("select[data-axis=y]") };
  if (axis.x) {
    const now = { x: axis.x.value, y: axis.y.value };
    const draw = (changed, other) => () => {
      if (axis[changed].value === axis[other].value) axis[other].value = now[changed];
      now.x = axis.x.value;
      now.y = axis.y.value;
      all(".tradeoff").forEach((f) => { f.hidden = f.dataset.x !== now.x || f.dataset.y !== now.y; });
    };
    axis.x.addEventListener("change", draw("x", "y"));
    axis.y.addEventListener("change", draw("y", "x"));
    draw("x", "y")();
  }

  // protection against picture change: one drawing of each pair of metrics
  const paid = { x: document.querySelector("select[data-price=x]"), y: document.querySelector("select[data-price=y]") };
  if (paid.x) {
    const draw = () => all(".price").forEach((f) => {
      f.hidden = f.dataset.x !== paid.x.value || f.dataset.y !== paid.y.value;
    });
    paid.x.addEventListener("change", draw);
    paid.y.addEventListener("change", draw);
    draw();
  }

  // pairs by metric and method
  const picks = all("select[data-pick]");
  const pick = () => {
    const wanted = Object.fromEntries(picks.map((p) => [p.dataset.pick, p.value]));
    let any = false;
    all(".pair-panel").forEach((panel) => {
      panel.hidden = panel.dataset.metric !== wanted.metric || panel.dataset.method !== wanted.method;
      any = any || !panel.hidden;
    });
    document.querySelector("[data-none]").hidden = any;
  };
  picks.forEach((p) => p.addEventListener("change", pick));
  if (picks.length) pick();

  // an image, enlarged beside what the other methods made of the same noise or of the same person
  const zoom = document.getElementById("zoom");
  const show = (panel, column) => {
    const title = panel.querySelector("figcaption");
    zoom.querySelector("h3").textContent = title ? title.textContent + " · noise " + column : column;
    const tiles = all("tbody tr", panel).flatMap((row) => {
      const own = all(`[data-column="${CSS.escape(column)}"]`, row);
      if (!own.length) return [];
      const figure = document.createElement("figure");
      const pictures = document.createElement("span");
      pictures.className = "two";
      pictures.append(...own.map((tile) => {
        const image = document.createElement("span");
        image.className = tile.className;
        image.style.cssText = tile.style.cssText;
        return image;
      }));
      const name = document.createElement("figcaption");
      name.textContent = [row.dataset.row, ...own.flatMap((tile) => tile.dataset.what || [])].join(", ");
      figure.append(pictures, name);
      return [figure];
    });
    zoom.querySelector(".zoom-tiles").replaceChildren(...tiles);
    zoom.dataset.column = column;
    if (!zoom.open) zoom.showModal();
  };
  let opened = null;
  all("button.t").forEach((tile) => tile.addEventListener("click", () => {
    opened = tile.closest(".grid-panel");
    show(opened, tile.dataset.column);
  }));
  zoom.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !opened) return;
    const columns = [...new Set(all("[data-column]", opened).map((t) => t.dataset.column))];
    const at = columns.indexOf(zoom.dataset.column) + step;
    if (columns[at] !== undefined) show(opened, columns[at]);
  });
  zoom.addEventListener("click", (event) => { if (event.target === zoom) zoom.close(); });
})();
