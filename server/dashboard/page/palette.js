// The page's colours as a canvas wants them: resolved, for the theme that is on.

/** How many colours of clusters there are; further ones repeat, drawn hollow. */
export const HUES = 8;

const NAMES = ["ink", "faint", "rule", "paper", "band", "accent", "judge"];

export class Palette {
  constructor(probe) {
    this.probe = probe;
    this.read();
  }

  read() {
    const resolve = (name) => {
      this.probe.style.color = `var(--${name})`;
      return getComputedStyle(this.probe).color;
    };
    for (const name of NAMES) this[name] = resolve(name);
    this.hues = Array.from({ length: HUES }, (_, i) => resolve(`hue-${i}`));
    this.sans = getComputedStyle(this.probe).fontFamily;
  }

  /** The colour of a cluster's number; -1 is no cluster yet. */
  hue(n) {
    return n < 0 ? this.faint : this.hues[n % HUES];
  }
}
