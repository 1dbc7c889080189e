from . import analysis as analysis, designs as designs, plots as plots, verification as verification
from .boundary import Boundary as Boundary, find_boundary as find_boundary
from .calibration import CalibratedAmplitude as CalibratedAmplitude
from .connectome import (
    Connectome as Connectome,
    lesions as lesions,
    load_connectome as load_connectome,
    pathway_scalings as pathway_scalings,
)
from .errors import UserError as UserError
from .explorer import Explorer as Explorer
from .fluctuations import Quantile as Quantile, Spectrum as Spectrum, Variance as Variance
from .generators import distance_rule as distance_rule, erdos_renyi as erdos_renyi, shuffled as shuffled
from .measures import (
    Final as Final,
    Mean as Mean,
    Measure as Measure,
    Peak as Peak,
    SpectralAbscissa as SpectralAbscissa,
    StreamingMeasure as StreamingMeasure,
    Trace as Trace,
)
from .models.base import Model as Model, Network as Network, parameter as parameter
from .models.brainpy_model import BrainPyModel as BrainPyModel
from .models.delayed import DelayedThresholdLinear as DelayedThresholdLinear
from .models.local_circuit import LocalCircuit as LocalCircuit
from .models.ode import ODEModel as ODEModel
from .models.threshold_linear import ThresholdLinear as ThresholdLinear
from .models.wilson_cowan import WilsonCowan as WilsonCowan
from .recall import replay as replay
from .runner import run as run
from .seeds import AcrossSeeds as AcrossSeeds
from .sensitivity import Sensitivity as Sensitivity
from .single import simulate as simulate
from .stimulus import Pulse as Pulse, Stimulus as Stimulus
from .store import open_study as open_study
from .study import Study as Study
from .studyfile import load_study as load_study
