// Ticks of colour bars and axes, and their words. Bokeh calls this text as a function, with `log`: whether values are
// the powers of ten of the positions.

// A number in few characters: 5e-4, not 5.000e-4.
const short = (value, digits) => {
  if (value === 0) return '0'
  const size = Math.abs(value)
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(digits)))
  return value.toExponential(digits - 1).replace(/\.?0*e/, 'e').replace('e+', 'e')
}

// As many digits as it takes for ticks to differ, and to be where they say.
const words = (values) => {
  const gaps = values.slice(1).map((value, i) => Math.abs(value - values[i])).filter((gap) => gap > 0)
  const near = 0.01 * Math.min(...gaps, Math.max(...values.map(Math.abs)))
  for (let digits = 1; digits < 15; digits++) {
    const found = values.map((value) => short(value, digits))
    if (found.every((word, i) => Math.abs(Number(word) - values[i]) <= near)) return found
  }
  return values.map(String)
}

// Round numbers between two values, about five of them.
const round = (low, high) => {
  const power = 10 ** Math.floor(Math.log10((high - low) / 5))
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => (high - low) / size <= 6)
  const first = Math.ceil(low / step - 1e-9)
  return Array.from({length: Math.floor(high / step + 1e-9) - first + 1}, (_, i) => (first + i) * step)
}

// Of a logarithmic scale: powers of ten, else 1, 2, 5, else round numbers.
const ticks_between = (start, end) => {
  const [low, high] = start < end ? [start, end] : [end, start]
  if (!(high > low)) return [low]
  if (!log) return round(low, high)
  const powers = Array.from({length: Math.floor(high) - Math.floor(low) + 1}, (_, i) => Math.floor(low) + i)
  const between = (values) => values.filter((value) => value >= low - 1e-9 && value <= high + 1e-9)
  const whole = between(powers)
  if (whole.length > 3) return whole.filter((_, i) => i % Math.ceil(whole.length / 7) === 0)
  const some = between(powers.flatMap((power) => [1, 2, 5].map((times) => power + Math.log10(times))))
  return some.length > 2 ? some : round(10 ** low, 10 ** high).filter((value) => value > 0).map(Math.log10)
}
