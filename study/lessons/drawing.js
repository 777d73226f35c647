// The pad of notebook 06: strokes on slices, kept as JSON in the model's `drawing`.
// The drawing also stays in the browser's own storage, so that it outlives a restarted kernel and a
// pad that is made again; what the kernel does not answer within PATIENCE is said.
// Points are in pixels, centres at whole numbers, as study/lessons/strokes.py reads them.
const STYLE = `
.pad { font: 14px/1.4 sans-serif; color: #1a1a1a; background: #fff; padding: 8px; max-width: 760px; }
.pad .bar { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center; margin: 6px 0; }
.pad button { font: inherit; color: #1a1a1a; background: #fff; border: 1px solid #595959;
  border-radius: 4px; padding: 3px 10px; cursor: pointer; }
.pad button:disabled { color: #595959; background: #eee; cursor: default; }
.pad button[aria-pressed=true] { box-shadow: inset 0 0 0 2px #1a1a1a; font-weight: bold; }
.pad .swatch { display: inline-block; width: 12px; height: 12px; margin-right: 5px; border: 1px solid #1a1a1a; }
.pad canvas { display: block; width: 448px; max-width: 100%; touch-action: none; cursor: crosshair; }
.pad :focus-visible { outline: 3px solid #005a9c; outline-offset: 2px; }
.pad .silent { border: 2px solid #9a3412; color: #7c2d12; background: #fff7ed; padding: 4px 8px; }
.pad img { max-width: 100%; }
`;

const KEPT = "scribble-study-strokes", PATIENCE = 4000; // ms
const SILENT = "The kernel has not answered. If other cells are still running, wait for them, then run "
  + "the cells from section 2 on again. If it was restarted, run the cells from the first on again. "
  + "Your strokes are kept.";
const LOST = "Nothing has come from the kernel for some seconds, and it was training. If it was restarted "
  + "or has ended, this training is lost: run the cells from the first on again. Your strokes are kept.";

// Storage may be forbidden, as in a sandboxed frame: then nothing is kept.
function kept() { try { return localStorage.getItem(KEPT); } catch { return null; } }
function keep(text) { try { localStorage.setItem(KEPT, text); } catch {} }

function render({ model, el }) {
  const [H, W] = model.get("shape"), names = model.get("names"), colours = model.get("colours");
  const classes = model.get("classes"), scale = 8;
  const view = model.get("images"); // DataView, (slices, H, W) uint8
  const images = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let at = 0, label = classes.length - 1, width = 1.5, current = null;

  const make = (tag, props = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const button = (text, act) => {
    const node = make("button", { type: "button", textContent: text });
    node.addEventListener("click", act);
    return node;
  };
  const read = () => JSON.parse(model.get("drawing"));
  const strokes = () => read().strokes[names[at]] || [];
  const say = (text) => { status.textContent = text; };
  function write(change) {
    const drawing = read(), list = drawing.strokes[names[at]] || [];
    const left = change(list);
    if (left.length) drawing.strokes[names[at]] = left;
    else delete drawing.strokes[names[at]];
    send(JSON.stringify(drawing));
  }
  function send(text) {
    if (text === model.get("drawing")) return refresh(); // the kernel would hear nothing
    keep(text);
    model.set("drawing", text);
    model.save_changes();
    refresh();
    await_answer();
  }
  const total = () => Object.values(read().strokes).reduce((n, list) => n + list.length, 0);
  // An answer is any word of the kernel's: what it heard, that it is busy, a status, or a beat, of
  // which there is one a second while it trains.
  let waiting = null;
  function await_answer() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      silent.textContent = model.get("busy") ? LOST : SILENT;
      silent.hidden = false;
    }, PATIENCE);
  }
  function answered() {
    clearTimeout(waiting);
    silent.hidden = true;
    if (model.get("busy")) await_answer();
  }

  const canvas = make("canvas", { width: W * scale, height: H * scale, tabIndex: 0 });
  canvas.setAttribute("role", "img");
  canvas.dataset.testid = "pad";
  const context = canvas.getContext("2d");
  const small = make("canvas", { width: W, height: H });
  function line(stroke) {
    const [first, ...rest] = stroke.points.map(([x, y]) => [(x + 0.5) * scale, (y + 0.5) * scale]);
    context.lineWidth = stroke.width * scale;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = colours[stroke.label];
    context.beginPath();
    context.moveTo(...first);
    for (const point of rest.length ? rest : [first]) context.lineTo(...point);
    context.stroke();
  }
  function draw() {
    const picture = new ImageData(W, H);
    for (let i = 0; i < H * W; i++) {
      const v = images[at * H * W + i];
      picture.data.set([v, v, v, 255], 4 * i);
    }
    small.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, W * scale, H * scale);
    for (const stroke of strokes()) line(stroke);
    if (current) line(current);
  }

  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect(), round = (v) => Math.round(v * 100) / 100;
    return [round(((event.clientX - box.left) / box.width) * W - 0.5),
            round(((event.clientY - box.top) / box.height) * H - 0.5)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || current) return;
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    current = { label, width, points: [pointOf(event)] };
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current) return;
    for (const e of event.getCoalescedEvents?.() ?? [event]) {
      const point = pointOf(e), last = current.points.at(-1);
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) > 0.3) current.points.push(point);
    }
    draw();
  });
  const end = (keep) => () => {
    const stroke = current;
    current = null;
    if (stroke && keep) write((list) => [...list, stroke]);
    else draw();
  };
  canvas.addEventListener("pointerup", end(true));
  canvas.addEventListener("pointercancel", end(false));

  const kinds = classes.map((name, k) => {
    const node = button(name, () => { label = k; refresh(); });
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = colours[k];
    node.prepend(swatch);
    return node;
  });
  const choose = make("select", {}, ...names.map((name, k) => make("option", { value: k }, name)));
  choose.addEventListener("change", () => { at = Number(choose.value); refresh(); });
  const shown = make("span", { textContent: width });
  const size = make("input", { type: "range", min: 1, max: 6, step: 0.5, value: width });
  size.addEventListener("input", () => { width = Number(size.value); shown.textContent = width; });
  const undo = button("Undo", () => write((list) => list.slice(0, -1)));
  const clear = button("Clear slice", () => write(() => []));
  const save = button("Save", () => {
    const blob = new Blob([model.get("drawing")], { type: "application/json" });
    const link = make("a", { href: URL.createObjectURL(blob), download: "strokes.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  const file = make("input", { type: "file", accept: ".json,application/json" });
  file.addEventListener("change", async () => {
    const text = await file.files[0].text();
    file.value = "";
    try {
      const drawing = JSON.parse(text);
      if (drawing.format !== read().format || !drawing.strokes || typeof drawing.strokes !== "object") throw Error();
      send(text); // Python checks the rest, and puts the old one back if it is wrong
    } catch {
      say("That file holds no strokes: load one that was saved here.");
    }
  });
  const train = button("Train", () => {
    model.set("wanted", model.get("wanted") + 1);
    model.save_changes();
    await_answer();
  });
  const status = make("p");
  status.setAttribute("role", "status");
  const silent = make("p", { className: "silent", hidden: true });
  silent.setAttribute("role", "alert");
  const result = make("img", { hidden: true });

  function refresh() {
    const count = strokes().length;
    kinds.forEach((node, k) => node.setAttribute("aria-pressed", k === label));
    undo.disabled = clear.disabled = count === 0;
    train.disabled = model.get("busy") || total() === 0;
    canvas.setAttribute("aria-label", `${names[at]}, ${count} strokes; draw with mouse, pen or finger`);
    say(`${count} strokes on this slice, ${total()} in all. Next: ${classes[label]}.`);
    draw();
  }
  const told = () => { answered(); say(model.get("status")); };
  const busy = () => { answered(); train.disabled = model.get("busy"); };
  function picture() {
    const png = model.get("result");
    if (!png || !png.byteLength) return;
    URL.revokeObjectURL(result.src);
    result.src = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    result.alt = model.get("result_alt");
    result.hidden = false;
  }
  const put = () => { keep(model.get("drawing")); refresh(); }; // the old one again where it was refused
  const watched = { "change:drawing": put, "change:heard": answered, "change:beat": answered, "change:status": told, "change:busy": busy, "change:result": picture };
  for (const [name, act] of Object.entries(watched)) model.on(name, act);
  el.append(make("div", { className: "pad" },
    make("style", { textContent: STYLE }),
    make("div", { className: "bar" }, make("label", {}, "Slice ", choose), ...kinds),
    canvas,
    make("div", { className: "bar" }, make("label", {}, "Brush (pixels) ", size, shown), undo, clear, save,
      make("label", {}, "Load ", file)),
    make("div", { className: "bar" }, train), silent, status, result));
  refresh();
  picture();
  if (model.get("busy")) await_answer();
  const before = kept();
  if (before && total() === 0 && before !== model.get("drawing")) {
    send(before);
    say(`Your ${total()} strokes are back. Clear each slice to begin anew.`);
  }
  return () => {
    clearTimeout(waiting);
    for (const [name, act] of Object.entries(watched)) model.off(name, act);
  };
}

export default { render };
