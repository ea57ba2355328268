// The playhead: which moment of a run is shown.

/** The speeds on offer, in run time per real time. */
export const SPEEDS = [0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16];

/** The speed on offer at which a run of so many milliseconds takes about ten seconds. */
export function watchableSpeed(duration) {
  let best = SPEEDS[0];
  for (const s of SPEEDS) {
    if (Math.abs(Math.log(duration / s / 10_000)) < Math.abs(Math.log(duration / best / 10_000))) best = s;
  }
  return best;
}

export class Player {
  time = 0;
  speed = 1;
  playing = false;
  live = true; // follows the last line

  /** Moves on by so many real milliseconds, in a run of which `end` is known. */
  tick(elapsed, end, done) {
    if (this.live) {
      this.time = end;
      if (done) this.live = false;
      return;
    }
    if (!this.playing) return;
    this.time += elapsed * this.speed;
    if (this.time < end) return;
    this.time = end;
    this.playing = false;
    this.live = !done;
  }

  /** Starts, from the beginning if it is at the end; or pauses. */
  toggle(end) {
    if (this.playing || this.live) {
      this.playing = this.live = false;
      return;
    }
    if (this.time >= end) this.time = 0;
    this.playing = true;
  }

  seek(time) {
    this.time = time;
    this.live = false;
  }

  follow() {
    this.live = true;
    this.playing = false;
  }
}
