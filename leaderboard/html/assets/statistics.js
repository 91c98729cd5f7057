// Paired differences of two rows that a reader chooses, as leaderboard/statistics.py computes them
// and leaderboard/render.py prints them. Everything else on the page is text that Python wrote.

// A sum that is rounded once (Shewchuk 1997), as Python's math.fsum.
function exactSum(values) {
  const partials = [];
  for (let x of values) {
    let kept = 0;
    for (let y of partials) {
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }
  let place = partials.length - 1;
  if (place < 0) return 0;
  let high = partials[place];
  let low = 0;
  while (place > 0) {
    const x = high;
    const y = partials[--place];
    high = x + y;
    low = y - (high - x);
    if (low) break;
  }
  // Half-way cases go to even, as if all partials had been added at once.
  if (place > 0 && ((low < 0 && partials[place - 1] < 0) || (low > 0 && partials[place - 1] > 0))) {
    const twice = low * 2;
    const raised = high + twice;
    if (twice === raised - high) high = raised;
  }
  return high;
}

function mean(values) {
  return values[0] + exactSum(values.map((value) => value - values[0])) / values.length;
}

// n, mean, low and high of the differences over the subjects that both have; null is unknown.
function pairedDifference(first, second) {
  const differences = [];
  first.forEach((value, place) => {
    if (value !== null && second[place] !== null) differences.push(value - second[place]);
  });
  const n = differences.length;
  if (n === 0) return { n, mean: null, low: null, high: null };
  const middle = mean(differences);
  if (n === 1) return { n, mean: tenDigits(middle), low: null, high: null };
  const std = Math.sqrt(exactSum(differences.map((value) => (value - middle) ** 2)) / (n - 1));
  const half = (data.quantiles[n - 2] * std) / Math.sqrt(n);
  const [low, high] = [middle - half, middle + half].map(tenDigits);
  return { n, mean: tenDigits(middle), low, high };
}

// What tables record and print: further digits depend on the order of a sum.
function tenDigits(value) {
  return Number(value.toPrecision(10));
}

// A number with fixed decimals, half-way cases to even as Python rounds, without a negative zero.
function fixed(value, decimals, signed) {
  let text = Math.abs(value).toFixed(decimals);
  const [whole, rest] = Math.abs(value).toFixed(Math.min(100, decimals + 60)).split(".");
  if (/^50*$/.test(rest.slice(decimals))) {
    const down = whole + (decimals ? "." + rest.slice(0, decimals) : "");
    if ("02468".includes(down.slice(-1))) text = down;
  }
  if (value < 0 && /[1-9]/.test(text)) return "-" + text;
  return (signed ? "+" : "") + text;
}

// Values to one precision: per cent to one decimal, else three significant digits of the largest.
function numbers(values, percent, signed) {
  if (percent) return values.map((value) => fixed(100 * value, 1, signed));
  const largest = Math.max(...values.map(Math.abs));
  const decimals = largest ? Math.max(0, 2 - Math.floor(Math.log10(largest))) : 2;
  if (decimals > 7) {
    return values.map((value) => {
      const [digits, power] = Math.abs(value).toExponential(2).split("e");
      const sign = value < 0 ? "-" : signed ? "+" : "";
      return sign + digits + "e" + power[0] + power.slice(1).padStart(2, "0");
    });
  }
  return values.map((value) => fixed(value, decimals, signed));
}

// `mean [low, high]`, the mean alone without an interval, a dash without a mean.
function intervalText(summary, percent) {
  if (summary.mean === null) return "–";
  if (summary.low === null) return numbers([summary.mean], percent, true)[0];
  const [middle, low, high] = numbers([summary.mean, summary.low, summary.high], percent, true);
  return `${middle} [${low}, ${high}]`;
}
