// The page without a server: the picture of what is chosen, and the profile of the point that is clicked.
// Bokeh calls this text as a function. Its arguments are the names that one_file.py gives; cb_obj is what happened.

// A plane has the n values of a picture. It starts where the positions of the chosen labels point to; the ratio is a
// quotient of two planes.
const plane = (name, at) => {
  let offset = 0
  for (const dim of dims[name]) offset = offset * sizes[dim] + at(dim)
  // Bokeh's own arrays can't be sliced.
  const all = data[name].data.values
  const Kind = name === 'status' ? Uint8Array : Float32Array
  return new Kind(all.buffer, all.byteOffset + offset * n * Kind.BYTES_PER_ELEMENT, n)
}
const chosen = (dim) => Number(choices[dim].value)
const shown = (name) => {
  if (name !== 'propagation_ratio') return plane(name, chosen)
  const low = plane(peaks, (dim) => dim === 'area' ? source : chosen(dim))
  return plane(peaks, chosen).map((value, i) => low[i] > 0 ? value / low[i] : NaN)
}

// Where a logarithm has none, a value is not shown.
const value_of = (value, state, log) =>
  bounded.includes(state) && Number.isFinite(value) && (!log || value > 0) ? value : NaN

const recolour = (values) => {
  const known = values.filter(Number.isFinite).map((value) => log.active ? Math.log10(value) : value)
  const [low, high] = known.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]
  )
  mapper.low = low < high ? low : (Number.isFinite(low) ? low - 0.5 : 0)
  mapper.high = low < high ? high : mapper.low + 1
  ticker.args = {log: log.active}
  bar.formatter.args = {log: log.active}
  bar.title = titles[variable.value]
}

const draw_cells = (values, state, cover) => {
  const [colour, value, states, covers] = ['colour', 'value', 'state', 'cover'].map((name) => cells.data[name][0])
  for (let i = 0; i < n; i++) {
    value[i] = values[i]
    colour[i] = log.active ? Math.log10(values[i]) : values[i]
    states[i] = state[i]
    covers[i] = cover[i]
  }
  recolour(values)
  const curves = boundaries[dims.status.map(chosen).join(',')] ?? {}
  for (const name of Object.keys(lines)) {
    const [xs, ys] = curves[name] ?? [[], []]
    lines[name].data = {xs, ys}
  }
  cells.change.emit()
  return curves
}

const draw_dots = (values, state) => {
  const some = (there) => {
    const at = Array.from(values.keys()).filter((i) => Number.isFinite(values[i]) === there)
    const pick = (from) => at.map((i) => from(i))
    return {
      x: pick((i) => xs[i]), y: pick((i) => ys[i]), row: pick((i) => labels[0][i]), value: pick((i) => values[i]),
      colour: pick((i) => log.active ? Math.log10(values[i]) : values[i]), state: pick((i) => state_words[state[i]]),
      fill: pick((i) => state_colours[state[i]]),
    }
  }
  dots.data = some(true)
  rest.data = some(false)
  recolour(values)
}

const draw_curves = (found, state) => {
  for (const k of [0, 1]) {
    const values = Array.from(found, (value, i) => value_of(value, state[i], k === 1))
    lines[k].data = {xs: [xs], ys: [values], colour: [line_colour], name: ['']}
    const at = values.map((_, i) => i).filter((i) => Number.isFinite(values[i]))
    dots[k].data = {
      x: at.map((i) => xs[i]), y: at.map((i) => values[i]), colour: at.map(() => line_colour), name: at.map(() => ''),
      label: at.map((i) => labels[0][i]), state: at.map((i) => state_words[state[i]]),
    }
    figures[k].visible = (k === 1) === log.active
    value_axes[k].axis_label = titles[variable.value]
  }
}
const line_colour = '#0072b2'

const redraw = () => {
  const found = shown(variable.value)
  const state = plane('status', chosen)
  const values = Array.from(found, (value, i) => value_of(value, state[i], log.active))
  const cover = values.map((value, i) => Number.isFinite(value) ? ok : state[i])
  let curves = {}
  if (kind === 'Plane') curves = draw_cells(values, state, cover)
  else if (kind === 'Scatter') draw_dots(values, state)
  else draw_curves(found, state)
  for (const legend of legends)
    for (const item of legend.items) {
      const name = item.label?.value
      item.visible = name in state_names ? cover.includes(state_names[name]) : name in curves
    }
  for (const mark of marks) mark.data = {x: [], y: [], name: [], colour: []}
}

// Which of the n places is nearest to a click.
const place_of = (x, y) => {
  if (kind === 'Plane') {
    const near = (position, k, n) => Math.min(Math.max(Math.round((position - start[k]) / step[k]), 0), n - 1)
    return near(y, 1, n / nx) * nx + near(x, 0, nx)
  }
  const span = (values) => Math.max(...values) - Math.min(...values) || 1
  const [wide, high] = [span(xs), ys.length ? span(ys) : 1]
  const far = Array.from(xs, (at, i) => Math.hypot((at - x) / wide, ys.length ? (ys[i] - y) / high : 0))
  return far.indexOf(Math.min(...far))
}

const click = (x, y) => {
  const i = place_of(x, y)
  const name = variable.value
  const found = shown(name)[i]
  const state = plane('status', chosen)[i]
  const said_value = Number.isFinite(found) ? found.toPrecision(4) : 'none'
  const short = (value) => String(Number(value.toPrecision(6)))
  let where, at
  if (kind === 'Plane') {
    const [across, up] = [i % nx, Math.floor(i / nx)]
    where = `${axis_titles[0]} ${labels[0][across]}, ${axis_titles[1]} ${labels[1][up]}`
    at = [start[0] + across * step[0], start[1] + up * step[1]]
  } else if (kind === 'Scatter') {
    where = `${axis_titles[0]} ${labels[0][i]}, ${axis_titles[1]} ${short(xs[i])}, ${axis_titles[2]} ${short(ys[i])}`
    at = [xs[i], ys[i]]
  } else {
    where = `${axis_titles[0]} ${labels[0][i]}`
    at = [xs[i], value_of(found, state, log.active)]
  }
  said.text = `${where}: ${state_words[state]}; ${titles[name].text} ${said_value}`
  for (const mark of marks) mark.data = {x: [at[0]], y: [at[1]], name: ['here'], colour: ['#000000']}
  if (dims[name].includes('area')) {
    const base = name === 'propagation_ratio' ? peaks : name
    const all = Array.from({length: sizes.area}, (_, k) => plane(base, (dim) => dim === 'area' ? k : chosen(dim))[i])
    const by = name === 'propagation_ratio' ? all[source] : 1
    profiles.data = {x: all.map((_, k) => k), y: all.map((value) => !profile_log || value > 0 ? value / by : NaN)}
    profile_axis.axis_label = titles[name]
  }
}

if (cb_obj.event_name === 'tap') click(cb_obj.x, cb_obj.y)
else redraw()
