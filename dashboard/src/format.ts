// Numbers and times as people read them. One place, so that a figure looks the same everywhere.

const MINUS = "\u2212";
const UNDEFINED = "\u2013";

const fixed = new Map<number, Intl.NumberFormat>();

function withDecimals(decimals: number): Intl.NumberFormat {
  let format = fixed.get(decimals);
  if (format === undefined) {
    format = new Intl.NumberFormat("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
    fixed.set(decimals, format);
  }
  return format;
}

/** `value` with a real minus sign; a dash for what is undefined; no minus before zero. */
export function number(value: number | null | undefined, decimals = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNDEFINED;
  const text = withDecimals(decimals).format(Math.abs(value));
  return value < 0 && /[1-9]/.test(text) ? MINUS + text : text;
}

/** Beyond a thousand per cent decimals are noise. */
export function percent(value: number | null | undefined, decimals = 2): string {
  const text = number(value, Math.abs(value ?? 0) >= 1000 ? 0 : decimals);
  return text === UNDEFINED ? text : `${text}\u202f%`;
}

/** As `percent`, with a plus sign before a gain. */
export function change(value: number | null | undefined, decimals = 2): string {
  const text = percent(value, decimals);
  return value !== null && value !== undefined && value > 0 && /[1-9]/.test(text)
    ? `+${text}`
    : text;
}

/** An amount of the quote asset: cents, while they are not noise. */
export function money(value: number | null | undefined): string {
  return number(value, Math.abs(value ?? 0) >= 1e7 ? 0 : 2);
}

/** A price with as many decimals as its size asks for; millions are short, to fit beside a chart. */
export function price(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${number(value / 1e6, 3)}M`;
  return number(value, size >= 1000 || size === 0 ? 2 : size >= 1 ? 4 : 8);
}

export function count(value: number): string {
  return number(value, 0);
}

/** `2024-03-09 14:30`, UTC. */
export function moment(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}

export function day(seconds: number): string {
  return moment(seconds).slice(0, 10);
}

/** `3 d 4 h`, `25 min`: the two largest units. */
export function span(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.round(seconds);
  for (const [unit, size] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ] as const) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) parts.push(`${whole}\u202f${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ") || "0\u202fs";
}

/**
 * An exact decimal as the API writes it, with thousands grouped and nothing rounded; with
 * `decimals`, rounded to that many. A dash for what is not known.
 */
export function decimal(text: string | null | undefined, decimals?: number): string {
  if (text === null || text === undefined || text === "") return UNDEFINED;
  if (decimals !== undefined) return number(Number(text), decimals);
  const found = /^(-?)(\d+)(\.\d+)?$/.exec(text);
  if (found === null) return text;
  const [, sign = "", whole = "", part = ""] = found;
  const trimmed = part.replace(/\.?0+$/, "");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",") + trimmed;
  return sign !== "" && /[1-9]/.test(grouped) ? MINUS + grouped : grouped;
}

/** An amount with a sign before a gain as well as before a loss. */
export function signed(value: number | null | undefined, decimals = 2): string {
  const text = number(value, decimals);
  return value !== null && value !== undefined && value > 0 && /[1-9]/.test(text)
    ? `+${text}`
    : text;
}

/** `14:30:07`, or with milliseconds, in the time of whoever reads. */
export function clock(ms: number, thousandths = false): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const whole = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return thousandths ? `${whole}.${String(at.getMilliseconds()).padStart(3, "0")}` : whole;
}

/** `14:30:07` of today, else `9 Mar 14:30`; in the time of whoever reads. */
export function when(ms: number, now = Date.now()): string {
  const at = new Date(ms);
  if (at.toDateString() === new Date(now).toDateString()) return clock(ms);
  const year = at.getFullYear() === new Date(now).getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${year} ${clock(ms).slice(0, 5)}`;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** `0.2 s`, `14 s`, `3 min`, `2 h`: how long ago, or how long it took. */
export function age(seconds: number): string {
  if (seconds < 0.95) return `${number(Math.max(seconds, 0), 1)}\u202fs`;
  if (seconds < 90) return `${number(seconds, seconds < 9.5 ? 1 : 0)}\u202fs`;
  if (seconds < 5400) return `${number(seconds / 60, 0)}\u202fmin`;
  if (seconds < 172800) return `${number(seconds / 3600, 0)}\u202fh`;
  return `${number(seconds / 86400, 0)}\u202fd`;
}

/** `109 ms`, `1.98 s`. */
export function elapsed(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNDEFINED;
  return ms < 1000 ? `${number(ms, 0)}\u202fms` : `${number(ms / 1000, 2)}\u202fs`;
}
