// What the server tells every second. After a lost connection it is made again, later each
// time; what was missed meanwhile is in the history (`past.js`).

import { ask } from "./ask.js";

const FIRST_MS = 500;
const LONGEST_MS = 15000;
// After so long without a word, the connection is taken for lost.
const SILENT_MS = 6000;

export class Live {
  constructor(heard) {
    this.heard = heard;
    this.lastAt = null;
    this.seq = null;
    this.failures = 0;
    this.socket = null;
    this.open();
    setInterval(() => this.watch(), 1000);
    // Who comes back to the page does not wait.
    for (const event of ["online", "pageshow", "visibilitychange"]) {
      addEventListener(event, () => document.hidden || this.socket || this.open());
    }
  }

  open() {
    clearTimeout(this.again);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws`);
    this.socket = socket;
    this.openedAt = performance.now();
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      const message = JSON.parse(event.data);
      this.failures = 0;
      this.lastAt = performance.now();
      this.seq = message.seq;
      this.heard(message);
    };
    socket.onclose = () => socket === this.socket && this.lost();
  }

  lost() {
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const wait = Math.min(FIRST_MS * 2 ** this.failures, LONGEST_MS);
    // Not all pages at once.
    this.again = setTimeout(() => this.open(), wait * (0.5 + Math.random() / 2));
    // A browser does not say why: perhaps we are not logged in any more.
    if (this.failures > 0) ask("/api/pools").catch(() => {});
    this.failures += 1;
  }

  watch() {
    const since = performance.now() - Math.max(this.lastAt ?? 0, this.openedAt);
    if (this.socket && since > SILENT_MS) this.lost();
  }

  // Seconds since the server was heard, or null if it never was.
  age() {
    return this.lastAt === null ? null : (performance.now() - this.lastAt) / 1000;
  }
}
