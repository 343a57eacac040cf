// The history of the pool that is shown, over the time that is shown. Steps that come live are
// added; where some are missing, they are asked for.

import { ask } from "./ask.js";
import { ALL } from "./metrics.js";

const LIVE_MS = 1000;

export class Past {
  constructor(changed) {
    this.changed = changed;
    this.forget();
  }

  forget() {
    this.times = [];
    this.values = Object.fromEntries(ALL.map((metric) => [metric, []]));
    this.stepMs = null;
    this.from = null;
    this.error = null;
  }

  // Shows another pool, or another time.
  async show(pool, minutes) {
    if (this.pool !== pool || this.minutes !== minutes) this.forget();
    [this.pool, this.minutes] = [pool, minutes];
    await this.fetch();
  }

  last() {
    return this.times.at(-1) ?? null;
  }

  // What the server has told of the pool: `charted` names the values of each step.
  heard(charted, steps, nowMs) {
    this.nowMs = nowMs;
    if (this.stepMs === null) return void this.fetch();
    if (this.stepMs === LIVE_MS && charted && steps) {
      const fresh = steps.filter((step) => step.unix_ms > (this.last() ?? 0));
      if (fresh.length > 0 && fresh[0].unix_ms === this.last() + LIVE_MS) {
        for (const step of fresh) {
          this.times.push(step.unix_ms);
          for (const metric of ALL) {
            const place = charted.indexOf(metric);
            this.values[metric].push(place < 0 ? null : step.values[place]);
          }
        }
        return this.trim();
      }
      // A server that was begun anew has other steps: from the first of these on.
      if (fresh.length > 0 && this.last() !== null) {
        this.from = this.last() + ((fresh[0].unix_ms - this.last()) % LIVE_MS);
      }
      if (fresh.length > 0) this.fetch();
    } else if (nowMs - (this.last() ?? 0) >= 2 * this.stepMs || this.last() === null) {
      this.fetch();
    } else if (nowMs - this.last() > this.stepMs + LIVE_MS) {
      this.fetch();
    }
  }

  // Asks for what is missing at the end, or for all.
  async fetch() {
    if (this.fetching || this.pool === undefined || document.hidden) return;
    const { pool, minutes } = this;
    const known = this.stepMs !== null && this.last() !== null;
    const resumes = known && this.nowMs - this.last() < minutes * 60000;
    const of = new URLSearchParams({ pool });
    if (resumes) {
      of.set("from", Math.max(this.from ?? 0, this.last()));
      of.set("step_ms", this.stepMs);
    } else {
      of.set("minutes", minutes);
    }
    this.from = null;
    this.fetching = true;
    try {
      const answer = await ask(`/api/history/${ALL.join(",")}?${of}`);
      if (pool !== this.pool || minutes !== this.minutes) return;
      if (!resumes) this.forget();
      this.stepMs = answer.step_ms;
      this.error = null;
      const first = answer.unix_ms.findIndex((time) => time > (this.last() ?? 0));
      if (first >= 0) {
        this.times.push(...answer.unix_ms.slice(first));
        for (const metric of ALL) {
          this.values[metric].push(...answer.values[metric].slice(first));
        }
      }
    } catch (error) {
      this.error = error.message;
    } finally {
      this.fetching = false;
      // Another was wanted meanwhile.
      if (pool !== this.pool || minutes !== this.minutes) this.fetch();
    }
    this.trim();
  }

  trim() {
    const from = (this.last() ?? 0) - this.minutes * 60000;
    const over = this.times.findIndex((time) => time > from);
    if (over > 0) {
      this.times.splice(0, over);
      for (const values of Object.values(this.values)) values.splice(0, over);
    }
    this.changed();
  }

  // Where nothing is known, not even that nothing happened: [from, to] in milliseconds.
  unknown(fromMs, toMs) {
    const gaps = [];
    let end = fromMs;
    const add = (to) => to - end > this.stepMs * 0.6 && gaps.push([end, to]);
    this.times.forEach((time, i) => {
      if (this.values.queries_ok_per_second[i] === null || time <= fromMs) return;
      add(time - this.stepMs);
      end = time;
    });
    // The last steps are on their way.
    if (toMs - end > 2.5 * this.stepMs + LIVE_MS) add(toMs);
    return gaps;
  }
}
