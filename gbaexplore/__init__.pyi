from . import analysis as analysis, designs as designs, plots as plots, verification as verification
from .analysis.search import Boundary as Boundary, find_boundary as find_boundary
from .basics.errors import UserError as UserError
from .fitting.file import load_fit as load_fit
from .fitting.fit import Fit as Fit
from .fitting.fitted import Fitted as Fitted, FittedEach as FittedEach
from .fitting.losses import SumOfSquares as SumOfSquares
from .fitting.optimisers.base import Optimiser as Optimiser, Told as Told
from .fitting.optimisers.cma_es import CMAES as CMAES
from .fitting.optimisers.differential_evolution import DifferentialEvolution as DifferentialEvolution
from .fitting.optimisers.least_squares import LeastSquares as LeastSquares
from .fitting.ranges import ByGroup as ByGroup, log as log
from .measures.across_seeds import AcrossSeeds as AcrossSeeds
from .measures.autocorrelation_time import AutocorrelationTime as AutocorrelationTime
from .measures.base import Measure as Measure, StreamingMeasure as StreamingMeasure
from .measures.bold import BOLD as BOLD, DoubleGamma as DoubleGamma
from .measures.calibrated_amplitude import CalibratedAmplitude as CalibratedAmplitude
from .measures.divergence import Divergence as Divergence
from .measures.fc import FC as FC
from .measures.fc_fit import FCFit as FCFit
from .measures.fcd import FCD as FCD, FCDFit as FCDFit
from .measures.final import Final as Final
from .measures.kuramoto_order import KuramotoOrder as KuramotoOrder
from .measures.mean import Mean as Mean
from .measures.non_normality import NonNormality as NonNormality
from .measures.peak import Peak as Peak
from .measures.quantile import Quantile as Quantile
from .measures.sensitivity import Sensitivity as Sensitivity
from .measures.spectral_abscissa import SpectralAbscissa as SpectralAbscissa
from .measures.spectral_peak import SpectralPeak as SpectralPeak
from .measures.spectrum import Spectrum as Spectrum
from .measures.trace import Trace as Trace
from .measures.variance import Variance as Variance
from .models.base import Model as Model
from .models.brainpy.model import BrainPyModel as BrainPyModel
from .models.delayed import DelayedThresholdLinear as DelayedThresholdLinear
from .models.equations import ODEModel as ODEModel
from .models.hopf import Hopf as Hopf
from .models.jansen_rit import JansenRit as JansenRit
from .models.kuramoto import Kuramoto as Kuramoto
from .models.local_circuit import LocalCircuit as LocalCircuit
from .models.montbrio_pazo_roxin import MontbrioPazoRoxin as MontbrioPazoRoxin
from .models.parameters import parameter as parameter
from .models.reduced_wong_wang import ReducedWongWang as ReducedWongWang
from .models.threshold_linear import ThresholdLinear as ThresholdLinear
from .models.wilson_cowan import WilsonCowan as WilsonCowan
from .models.wong_wang import (
    WongWang as WongWang,
    feedback_inhibition as feedback_inhibition,
    linear_inhibition as linear_inhibition,
)
from .networks.axes import lesions as lesions, pathway_scalings as pathway_scalings
from .networks.connectome import Connectome as Connectome
from .networks.files import load_connectome as load_connectome
from .networks.generators.distance_rule import distance_rule as distance_rule
from .networks.generators.erdos_renyi import erdos_renyi as erdos_renyi
from .networks.generators.shuffled import shuffled as shuffled
from .networks.seen import Network as Network
from .plots.explorer.page import Explorer as Explorer
from .running.replay import replay as replay
from .running.runner import run as run
from .running.simulate import simulate as simulate
from .stimuli.base import AbstractStimulus as AbstractStimulus, Pieces as Pieces
from .stimuli.course import Stimulus as Stimulus
from .stimuli.pulse import Pulse as Pulse
from .store.stores import open_study as open_study
from .study.file import StudyFile as StudyFile, load_study as load_study, load_study_file as load_study_file
from .study.study import Study as Study
