// Formats times, durations and numbers. Pure.

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, seconds);
  if (s < 0.001) return s === 0 ? "0 s" : "< 1 ms";
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  const hours = Math.round(s / 3600);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** A duration that somebody chose: `1 day`, `90 minutes`. */
export function span(seconds: number): string {
  const units: [number, string][] = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const [length, unit] = units.find(([length]) => seconds % length === 0) ?? [1, "second"];
  return plural(seconds / length, unit);
}

/** The distance from now: `3 min ago`, `in 2 h`. */
export function relative(at: number, now: number): string {
  const seconds = Math.abs(now - at) / 1000;
  if (seconds < 5) return "now";
  let text = `${Math.round(seconds)} s`;
  if (seconds >= 50) text = `${Math.max(1, Math.round(seconds / 60))} min`;
  if (seconds >= 3600 * 1.5) text = `${Math.round(seconds / 3600)} h`;
  if (seconds >= 86400 * 1.5) text = `${Math.round(seconds / 86400)} d`;
  return at > now ? `in ${text}` : `${text} ago`;
}

export function moment(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  return `${value > 99 && value < 100 ? "> 99" : value.toFixed(value < 10 && value > 0 ? 1 : 0)} %`;
}

/** A number of bytes: `340 B`, `1.2 MB`. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** Removes terminal escape codes. */
export function plain(text: string): string {
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-_]/g, "");
}

/** Shows characters that would be invisible, or that change the direction of the text: a line break as `\n`. */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (hidden) => {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[hidden];
    return short ?? `\\u${hidden.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Shortens a long name in the middle, as in `load…_3`: names often differ only at the end. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) / 3);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(text.length - tail)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
