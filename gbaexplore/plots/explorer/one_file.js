// The page without a server: the map of what is chosen, and the profile of the point that is clicked.
// Bokeh calls this text as a function. Its arguments are the names that one_file.py gives; cb_obj is what happened.

// A plane starts where the positions of the chosen labels point to; the ratio is a quotient of two planes.
const plane = (name, at) => {
  let offset = 0
  for (const dim of dims[name]) offset = offset * sizes[dim] + at(dim)
  // Bokeh's own arrays can't be sliced.
  const all = data[name].data.values
  const Kind = name === 'status' ? Uint8Array : Float32Array
  return new Kind(all.buffer, all.byteOffset + offset * nx * ny * Kind.BYTES_PER_ELEMENT, nx * ny)
}
const chosen = (dim) => Number(choices[dim].value)
const shown = (name) => {
  if (name !== 'propagation_ratio') return plane(name, chosen)
  const low = plane('peak_rate', (dim) => dim === 'area' ? source : chosen(dim))
  return plane('peak_rate', chosen).map((value, i) => value / low[i])
}

const redraw = () => {
  const values = shown(variable.value)
  const state = plane('status', chosen)
  const [colour, value, states, cover] = ['colour', 'value', 'state', 'cover'].map((name) => cells.data[name][0])
  let low = Infinity, high = -Infinity
  for (let i = 0; i < nx * ny; i++) {
    const known = bounded.includes(state[i]) && Number.isFinite(values[i]) && (!log.active || values[i] > 0)
    value[i] = known ? values[i] : NaN
    colour[i] = log.active ? Math.log10(value[i]) : value[i]
    states[i] = state[i]
    cover[i] = known ? ok : state[i]
    if (known) { low = Math.min(low, colour[i]); high = Math.max(high, colour[i]) }
  }
  mapper.low = low < high ? low : (Number.isFinite(low) ? low - 0.5 : 0)
  mapper.high = low < high ? high : mapper.low + 1
  ticker.args = {log: log.active}
  bar.formatter.args = {log: log.active}
  bar.title = titles[variable.value]
  const curves = boundaries[dims.status.map(chosen).join(',')]
  for (const name of Object.keys(lines)) {
    const [xs, ys] = curves[name] ?? [[], []]
    lines[name].data = {xs, ys}
  }
  for (const item of legend.items) {
    const name = item.label.value
    item.visible = name in state_names ? cover.includes(state_names[name]) : name in curves
  }
  marks.data = {x: [], y: [], name: [], colour: []}
  cells.change.emit()
}

const click = (x, y) => {
  const near = (position, k, n) => Math.min(Math.max(Math.round((position - start[k]) / step[k]), 0), n - 1)
  const [i, j] = [near(x, 0, nx), near(y, 1, ny)]
  const cell = j * nx + i
  const name = variable.value
  const found = shown(name)[cell]
  const said_value = Number.isFinite(found) ? found.toPrecision(4) : 'none'
  said.text = `${axis_titles[0]} ${labels[0][i]}, ${axis_titles[1]} ${labels[1][j]}: ` +
    `${state_words[plane('status', chosen)[cell]]}; ${titles[name].text} ${said_value}`
  marks.data = {x: [start[0] + i * step[0]], y: [start[1] + j * step[1]], name: ['here'], colour: ['#000000']}
  if (dims[name].includes('area')) {
    const base = name === 'propagation_ratio' ? 'peak_rate' : name
    const all = Array.from({length: sizes.area}, (_, k) => plane(base, (dim) => dim === 'area' ? k : chosen(dim))[cell])
    const by = name === 'propagation_ratio' ? all[source] : 1
    profiles.data = {x: all.map((_, k) => k), y: all.map((value) => value > 0 ? value / by : NaN)}
    profile_axis.axis_label = titles[name]
  }
}

if (cb_obj.event_name === 'tap') click(cb_obj.x, cb_obj.y)
else redraw()
