// Updates relative times while a page is open, in the format of the server.

const STEPS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];

export function relative(moment, now = new Date()) {
  const seconds = Math.round((now - moment) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

function span(seconds) {
  for (const [step, unit] of STEPS) {
    if (seconds >= step) {
      const count = Math.floor(seconds / step);
      return `${count} ${unit}${count === 1 ? "" : "s"}`;
    }
  }
  return `${seconds} seconds`;
}

export function tick(root = document) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const text = relative(new Date(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}
