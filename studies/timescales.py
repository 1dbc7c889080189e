"""The hierarchy of timescales of Chaudhuri, Knoblauch, Gariel, Kennedy & Wang (2015), Neuron 88:419-431.

Noise enters V1 alone. How long the activity of an area remembers grows along the hierarchy, from 40 ms in V1 to a
second at its end, although the cells' time constants of 20 and 10 ms are the same everywhere: local and long-range
excitation, which grow along the hierarchy, make it. The network is linear here, as its steady state is above the
thresholds and the noise is weak; so what is simulated is compared with linear theory.

The parameters are the paper's, which are those of the weak regime of Joglekar et al. (2018). An area's time constant is
here the lag at which its autocorrelation has fallen to 1/e.
"""

from types import SimpleNamespace

import numpy as np
import scipy.linalg

from gbaexplore import Network, Study, ThresholdLinear, Trace, load_connectome, plots
from gbaexplore.analysis import stationary_covariance

EVERY_S, LAGS = 0.02, 150
macaque = load_connectome("macaque29")
model = ThresholdLinear(muEE=33.7, omegaEI=19.7, restE=20.0, restI=45.0, update="simultaneous")
noise = {"V1": 0.01, ...: 0.0}

study = Study(
    name="timescales",
    model=model,
    connectome=macaque,
    axes={"seed": range(16)},
    fixed={"noise": noise},
    measures=[Trace(window=(5.0, 65.0), every=EVERY_S)],
    dt=1e-3,
    duration=65.0,
)


def autocorrelation(ds):
    """Return the autocorrelation of what was simulated, the mean over seeds: (lag, area)."""
    x = ds.rate_change.transpose("time", "seed", "area").values
    power = np.abs(np.fft.rfft(x - x.mean(axis=(0, 1)), n=2 * len(x), axis=0)) ** 2
    found = np.fft.irfft(power, axis=0)[: LAGS + 1].mean(axis=1) / (len(x) - np.arange(LAGS + 1))[:, None]
    return found / found[0]


def linear_theory():
    """Return the same of the linear network: the diagonal of exp(A lag) times the stationary covariance."""
    state = len(macaque.areas) * 2
    covariance = stationary_covariance(model, macaque, noise=noise).covariance.values.reshape(state, state)
    parameters = SimpleNamespace(**{name: getattr(model, name) for name in model.parameters()})
    step = scipy.linalg.expm(EVERY_S * model.jacobian(parameters, Network.of(macaque)))
    found = [covariance]
    for _ in range(LAGS):
        found.append(step @ found[-1])
    found = np.array([one.diagonal()[: len(macaque.areas)] for one in found])
    return found / found[0]


def time_constants(correlation):
    """Return where each column first falls below 1/e, s, between two lags on a straight line."""
    below = (correlation < np.exp(-1)).argmax(axis=0)
    area = np.arange(correlation.shape[1])
    before, after = correlation[below - 1, area], correlation[below, area]
    return EVERY_S * (below - 1 + (before - np.exp(-1)) / (before - after))


@plots.styled
def draw(ds):
    """Return the figure: autocorrelations of four areas, and the time constants of all; simulated and in theory."""
    fig, (left, right) = plots.figure(1, 2, size=(7.2, 3.2), width_ratios=(2, 3))
    found, theory = autocorrelation(ds), linear_theory()
    lag = EVERY_S * np.arange(LAGS + 1)
    for area, colour in zip(["V1", "V4", "8m", "24c"], ["C0", "C1", "C2", "C3"]):
        i = macaque.index(area)
        left.plot(lag, found[:, i], color=colour, label=area)
        left.plot(lag, theory[:, i], "--", color=colour)
    left.set(xlabel="lag (s)", ylabel="autocorrelation", xlim=(0, lag[-1]))
    left.set_title("simulated (-), linear theory (--)")
    left.legend()
    right.plot(ds.area, time_constants(theory), "o", mfc="none", color="0.4", label="linear theory")
    right.plot(ds.area, time_constants(found), "o", color="C0", markersize=2.5, label="simulated")
    right.set(xlabel="cortical area, in hierarchical order", ylabel="time constant (s)", ylim=(0, None))
    right.tick_params(axis="x", rotation=90, labelsize="small")
    right.legend()
    return fig
