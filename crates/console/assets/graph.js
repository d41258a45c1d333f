// What script adds to a picture of ties: it is made larger and smaller, whatever is tied to a box or a line stands out, and a
// tie's statements come up beside the picture. Without this, boxes and lines are links, and the picture can be scrolled.

const STEP = 1.25;
const [LEAST, MOST] = [0.25, 4];
/** How far an arrow key moves the picture, in pixels. */
const PAN = 60;
/** How far from a box a line may end that is its. */
const SLACK = 4;

/** The picture larger or smaller, with the same point of it at the same place. */
function zoomable(canvas, svg) {
  const [width, height] = [svg.width.baseVal.value, svg.height.baseVal.value];
  let scale = 1;
  const said = document.createElement("output");

  function zoom(to, at) {
    const before = scale;
    scale = Math.min(MOST, Math.max(LEAST, to));
    const frame = canvas.getBoundingClientRect();
    const [x, y] = at ? [at.clientX - frame.left, at.clientY - frame.top] : [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const [left, top] = [canvas.scrollLeft + x, canvas.scrollTop + y];
    svg.setAttribute("width", String(Math.round(width * scale)));
    svg.setAttribute("height", String(Math.round(height * scale)));
    canvas.scrollLeft = left * (scale / before) - x;
    canvas.scrollTop = top * (scale / before) - y;
    said.textContent = `${Math.round(scale * 100)} %`;
  }
  const whole = () => zoom(Math.min(1, canvas.clientWidth / width));

  const buttons = document.createElement("div");
  buttons.className = "zoom";
  buttons.setAttribute("role", "group");
  buttons.setAttribute("aria-label", "Size of the picture");
  for (const [text, name, act] of [
    ["−", "Smaller", () => zoom(scale / STEP)],
    ["+", "Larger", () => zoom(scale * STEP)],
    ["Whole", "The whole picture", whole],
  ]) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = text;
    button.setAttribute("aria-label", name);
    button.addEventListener("click", act);
    buttons.append(button);
  }
  said.textContent = "100 %";
  buttons.append(said);
  canvas.before(buttons);

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zooms = { "+": scale * STEP, "=": scale * STEP, "-": scale / STEP, 0: 1 };
    const moves = { ArrowLeft: [-PAN, 0], ArrowRight: [PAN, 0], ArrowUp: [0, -PAN], ArrowDown: [0, PAN] };
    if (zooms[event.key]) {
      event.preventDefault();
      zoom(zooms[event.key]);
    } else if (moves[event.key]) {
      const { scrollLeft, scrollTop } = canvas;
      canvas.scrollBy(...moves[event.key]);
      // Where the picture ends, the page goes on.
      if (canvas.scrollLeft !== scrollLeft || canvas.scrollTop !== scrollTop) event.preventDefault();
    }
  });
  // With a modifier, as maps do: the wheel alone scrolls the page. Two fingers on a touchpad come the same way.
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(scale * Math.exp(-event.deltaY / 300), event);
  }, { passive: false });
  pinched(canvas, () => scale, zoom);
  dragged(canvas);
}

function pinched(canvas, scaleNow, zoom) {
  const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  let begun = null;
  canvas.addEventListener("touchstart", ({ touches }) => {
    begun = touches.length === 2 ? { apart: apart(touches), scale: scaleNow() } : null;
  }, { passive: true });
  canvas.addEventListener("touchmove", (event) => {
    if (!begun || event.touches.length !== 2) return;
    event.preventDefault();
    const [a, b] = event.touches;
    const middle = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
    zoom(begun.scale * (apart(event.touches) / begun.apart), middle);
  }, { passive: false });
  canvas.addEventListener("touchend", () => { begun = null; });
}

/** The ground of the picture is dragged with a mouse; fingers scroll it. */
function dragged(canvas) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest("a")) return;
    from = { x: event.clientX + canvas.scrollLeft, y: event.clientY + canvas.scrollTop };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragged");
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    canvas.scrollLeft = from.x - event.clientX;
    canvas.scrollTop = from.y - event.clientY;
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, () => {
      from = null;
      canvas.classList.remove("dragged");
    });
  }
}

/** Whatever is tied to the box or line under the pointer, or with the focus, stands out. */
function related(svg) {
  const boxes = [...svg.querySelectorAll(".box")];
  const labels = [...svg.querySelectorAll(".label")];
  const paths = [...svg.querySelectorAll("path.tie")];
  const outlines = boxes.map((box) => box.querySelector("rect").getBBox());
  /** The box at whose edge a line begins or ends. */
  const boxAt = ({ x, y }) =>
    outlines.findIndex((box) => x >= box.x - SLACK && x <= box.x + box.width + SLACK && y >= box.y - SLACK && y <= box.y + box.height + SLACK);
  // Lines and their words are drawn in one order, if each has words.
  const ties = paths.map((path, at) => ({
    path,
    label: labels.length === paths.length ? labels[at] : null,
    ends: [path.getPointAtLength(0), path.getPointAtLength(path.getTotalLength())].map(boxAt),
  }));
  function show(target) {
    const part = target?.closest(".box, .label, .tie") ?? target?.querySelector(".box, .label");
    const box = boxes.indexOf(part);
    const near = ties.filter(({ path, label, ends }) => part && (part === path || part === label || (box >= 0 && ends.includes(box))));
    const ends = new Set([box, ...near.flatMap((tie) => tie.ends)]);
    svg.classList.toggle("dimmed", near.length > 0);
    for (const tie of ties) for (const one of [tie.path, tie.label]) one?.classList.toggle("near", near.includes(tie));
    boxes.forEach((one, at) => one.classList.toggle("near", ends.has(at)));
  }
  svg.addEventListener("pointerover", (event) => show(event.target));
  svg.addEventListener("pointerleave", () => show(null));
  svg.addEventListener("focusin", (event) => show(event.target));
  svg.addEventListener("focusout", () => show(null));
}

/** A tie's statements beside the picture, by the page that its link leads to. */
function stating(canvas, svg) {
  const beside = document.createElement("section");
  beside.className = "beside";
  beside.hidden = true;
  beside.setAttribute("aria-label", "What was said of this tie");
  canvas.after(beside);
  let opener = null;
  function close() {
    beside.hidden = true;
    beside.replaceChildren();
    opener?.focus();
  }
  async function show(link) {
    const href = link.getAttribute("href");
    const answer = await fetch(href, { headers: { accept: "text/html" } }).catch(() => null);
    const page = answer?.ok && !answer.redirected ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    const table = page?.querySelector("main .table");
    if (!table) {
      location.assign(href);
      return;
    }
    opener = link;
    const heading = document.createElement("h3");
    heading.tabIndex = -1;
    heading.textContent = link.querySelector("title")?.textContent ?? page.querySelector("h1").textContent;
    const ways = document.createElement("p");
    const whole = document.createElement("a");
    whole.href = href;
    whole.textContent = "As a page";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = "Close";
    button.addEventListener("click", close);
    ways.append(whole, " ", button);
    beside.replaceChildren(heading, document.importNode(table, true), ways);
    beside.hidden = false;
    heading.focus();
  }
  svg.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!isPlain || !link?.getAttribute("href")?.startsWith("/ties/at/")) return;
    event.preventDefault();
    show(link);
  });
  beside.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
}

for (const svg of document.querySelectorAll('.canvas svg[aria-labelledby="ties-picture-title"]')) {
  const canvas = svg.closest(".canvas");
  zoomable(canvas, svg);
  related(svg);
  stating(canvas, svg);
}
