// Numbers and times in words that people read. What is not known is a dash.

export const NONE = "–";

const known = (n) => n !== null && n !== undefined && Number.isFinite(n);

export function number(n) {
  if (!known(n)) return NONE;
  const size = Math.abs(n);
  if (size >= 1e9) return `${digits(n / 1e9)}G`;
  if (size >= 1e6) return `${digits(n / 1e6)}M`;
  if (size >= 1e4) return `${digits(n / 1e3)}k`;
  return digits(n);
}

function digits(n) {
  const size = Math.abs(n);
  if (size >= 100 || Number.isInteger(n)) return Math.round(n).toLocaleString("en");
  if (size >= 10) return n.toFixed(1);
  if (size >= 0.005) return n.toFixed(2);
  return n === 0 ? "0" : n.toPrecision(1);
}

export const count = (n) => (known(n) ? n.toLocaleString("en") : NONE);

export const perSecond = (n) => (known(n) ? `${number(n)}/s` : NONE);

export function percent(share) {
  if (!known(share)) return NONE;
  const n = share * 100;
  if (n === 0) return "0 %";
  if (n < 0.01) return "< 0.01 %";
  return `${n >= 10 ? n.toFixed(0) : n >= 1 ? n.toFixed(1) : n.toFixed(2)} %`;
}

export function seconds(s) {
  if (!known(s)) return NONE;
  if (s === 0) return "0";
  if (s < 0.000999) return `${Math.round(s * 1e6)} µs`;
  if (s < 0.00995) return `${(s * 1e3).toFixed(1)} ms`;
  if (s < 0.9995) return `${Math.round(s * 1e3)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  return `${Math.round(s)} s`;
}

export function span(s) {
  if (!known(s)) return NONE;
  if (s < 120) return seconds(s);
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const bytes = (n) =>
  !known(n) ? NONE : n >= 1e6 ? `${(n / 1e6).toFixed(1)} MB` : `${Math.round(n / 1e3)} kB`;

const pad = (n) => String(n).padStart(2, "0");

export function clock(ms, withSeconds = true) {
  const at = new Date(ms);
  const minutes = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  return withSeconds ? `${minutes}:${pad(at.getSeconds())}` : minutes;
}

// With the day, if that is another than today.
export function when(ms) {
  const at = new Date(ms);
  const day = new Date().toDateString() === at.toDateString() ? "" : `${at.toLocaleDateString()} `;
  return day + clock(ms);
}

export const words = (name) => name.replaceAll("_", " ");
