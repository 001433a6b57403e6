// The agent's presence: a contour drawing that breathes while it listens, leans in while
// it hears, turns while it thinks and ripples while it speaks.

const LAYERS = 7;
const POINTS = 120;
const TAU = Math.PI * 2;

// How each activity moves. deform: of the radius; spin: radians a second; fill: opacity of
// the body; reach: how far ripples go, in radii (negative: inwards); arc: the circling light.
const MOODS = {
  idle: { deform: 0.035, spin: 0.22, fill: 0.86, reach: 0, arc: 0 },
  connecting: { deform: 0.03, spin: 0.5, fill: 0.7, reach: 0, arc: 1 },
  listening: { deform: 0.04, spin: 0.3, fill: 0.8, reach: 0, arc: 0 },
  hearing: { deform: 0.055, spin: 0.55, fill: 0.86, reach: -0.6, arc: 0 },
  thinking: { deform: 0.07, spin: 1.25, fill: 0.8, reach: 0, arc: 1 },
  speaking: { deform: 0.05, spin: 0.7, fill: 1, reach: 0.6, arc: 0 },
  ended: { deform: 0.01, spin: 0, fill: 0.3, reach: 0, arc: 0 },
};

export class Orb {
  #canvas;
  #context;
  #mood = { ...MOODS.idle };
  #wanted = MOODS.idle;
  #level = 0;
  #phase = 0;
  #ripple = 0;
  #last = 0;
  #still;
  #drawnAt = -Infinity;
  #colours = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#still = matchMedia("(prefers-reduced-motion: reduce)");
    const recolour = () => {
      this.#colours = null;
      this.#drawnAt = -Infinity;
    };
    document.documentElement.addEventListener("themechange", recolour);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
    new ResizeObserver(recolour).observe(canvas);
  }

  /** @param {string} activity a key of MOODS */
  set activity(activity) {
    this.#wanted = MOODS[activity] ?? MOODS.idle;
    this.#drawnAt = -Infinity;
  }

  /** Draw one frame. now: ms; level: 0…1 of whoever is heard now. */
  draw(now, level) {
    // Reduced motion: no movement of its own; the level shows, four times a second.
    if (this.#still.matches && now - this.#drawnAt < 250) return;
    const elapsed = this.#still.matches ? 0 : Math.min(0.1, (now - this.#last) / 1000);
    this.#last = now;
    this.#drawnAt = now;
    const ease = this.#still.matches ? 1 : 1 - Math.exp(-elapsed * 6);
    for (const key of Object.keys(this.#mood)) this.#mood[key] += (this.#wanted[key] - this.#mood[key]) * ease;
    this.#level += (level - this.#level) * (this.#still.matches ? 1 : 1 - Math.exp(-elapsed * 14));
    this.#phase += elapsed * this.#mood.spin;
    this.#ripple = (this.#ripple + elapsed * (0.3 + this.#level * 0.3)) % 1;
    this.#paint();
  }

  #paint() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    const size = this.#canvas.clientWidth;
    if (!size) return;
    const pixels = Math.round(size * ratio);
    if (this.#canvas.width !== pixels) this.#canvas.width = this.#canvas.height = pixels;
    const style = (this.#colours ??= readColours(this.#canvas));
    const context = this.#context;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size, size);
    context.translate(size / 2, size / 2);
    const radius = size * 0.29 * (1 + 0.05 * this.#level);
    this.#glow(context, style, radius);
    this.#ripples(context, style, radius);
    this.#body(context, style, radius);
    if (this.#mood.arc > 0.02) this.#comet(context, style, radius);
    context.globalAlpha = 1;
  }

  #glow(context, style, radius) {
    const reach = radius * 1.6;
    const gradient = context.createRadialGradient(0, 0, radius * 0.7, 0, 0, reach);
    gradient.addColorStop(0, style.light);
    gradient.addColorStop(0.35, `${style.light}66`);
    gradient.addColorStop(0.7, `${style.light}1c`);
    gradient.addColorStop(1, `${style.light}00`); // "transparent" would fade through grey
    context.globalAlpha = style.glow * this.#mood.fill * (0.7 + 0.5 * this.#level);
    context.fillStyle = gradient;
    context.beginPath();
    context.arc(0, 0, reach, 0, TAU);
    context.fill();
  }

  /** Outward while speaking, inward while hearing. */
  #ripples(context, style, radius) {
    const { reach } = this.#mood;
    if (Math.abs(reach) < 0.02) return;
    context.strokeStyle = style.accent;
    context.lineWidth = 1.25;
    for (let ring = 0; ring < 3; ring += 1) {
      const along = (this.#ripple + ring / 3) % 1;
      const out = reach > 0 ? along : 1 - along;
      context.globalAlpha = (1 - out) * (0.2 + 0.55 * this.#level);
      this.#outline(context, radius * (1.04 + Math.abs(reach) * out), 0.35, ring * 0.9);
      context.stroke();
    }
  }

  #body(context, style, radius) {
    const light = context.createRadialGradient(-radius * 0.45, -radius * 0.55, radius * 0.05, 0, 0, radius * 1.15);
    light.addColorStop(0, style.light);
    light.addColorStop(1, style.deep);
    // Each contour is smaller than the last and lies a little off its centre, up and left,
    // where the light is: a hill on a map.
    for (let layer = 0; layer < LAYERS; layer += 1) {
      const inward = layer / LAYERS;
      const swell = 1 - inward * (1 - 0.16 * this.#level);
      const lean = -radius * 0.09 * inward;
      context.save();
      context.translate(lean, lean * 1.2);
      this.#outline(context, radius * swell, 1 + inward * 0.5, inward * 2.2);
      context.globalAlpha = this.#mood.fill * (layer ? 0.1 + 0.09 * this.#level : 0.94);
      context.fillStyle = layer ? style.crest : light;
      context.fill();
      if (layer) {
        context.globalAlpha = this.#mood.fill * (0.2 + 0.3 * inward);
        context.strokeStyle = style.crest;
        context.lineWidth = 1;
        context.stroke();
      }
      context.restore();
    }
  }

  #comet(context, style, radius) {
    context.strokeStyle = style.accent;
    context.lineWidth = 2.5;
    const head = this.#phase * 2.6;
    for (let part = 0; part < 24; part += 1) {
      context.globalAlpha = this.#mood.arc * 0.9 * (1 - part / 24) ** 2;
      context.beginPath();
      context.arc(0, 0, radius * 1.22, head - (part + 1) * 0.06, head - part * 0.06);
      context.stroke();
    }
  }

  /** A closed curve around the centre; `sway` scales the mood's deformation. */
  #outline(context, radius, sway, offset) {
    const amount = (this.#mood.deform + 0.04 * this.#level) * sway;
    const turn = this.#phase + offset;
    context.beginPath();
    for (let point = 0; point <= POINTS; point += 1) {
      const angle = (point / POINTS) * TAU;
      const wave = 0.55 * Math.sin(2 * angle + turn * 1.3)
        + 0.45 * Math.sin(3 * angle - turn * 1.1 + 1.3)
        + 0.1 * Math.sin(5 * angle + turn * 1.9 + 0.4);
      const reach = radius * (1 + amount * wave);
      context.lineTo(Math.cos(angle) * reach, Math.sin(angle) * reach);
    }
    context.closePath();
  }
}

function readColours(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    accent: read("--accent"), light: read("--orb-light"), deep: read("--orb-deep"), crest: read("--orb-crest"),
    glow: Number(read("--orb-glow")) || 0.3,
  };
}
