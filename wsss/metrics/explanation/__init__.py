"""How faithful an explanation is to the network, and how well it finds its object."""

from wsss.metrics.explanation.adcc import adcc as adcc
from wsss.metrics.explanation.adcc import adcc_of_means as adcc_of_means
from wsss.metrics.explanation.adcc import coherency as coherency
from wsss.metrics.explanation.adcc import complexity as complexity
from wsss.metrics.explanation.adcc import mean_adcc as mean_adcc
from wsss.metrics.explanation.boxes import MaxBoxAccuracy as MaxBoxAccuracy
from wsss.metrics.explanation.confidence import average_drop as average_drop
from wsss.metrics.explanation.confidence import average_drop_in_deletion as average_drop_in_deletion
from wsss.metrics.explanation.confidence import average_gain as average_gain
from wsss.metrics.explanation.confidence import average_increase as average_increase
from wsss.metrics.explanation.curves import area_below as area_below
from wsss.metrics.explanation.curves import replacement_curve as replacement_curve
from wsss.metrics.explanation.faithfulness import Faithfulness as Faithfulness
from wsss.metrics.explanation.faithfulness import PairScores as PairScores
from wsss.metrics.explanation.pixels import PixelAveragePrecision as PixelAveragePrecision
from wsss.metrics.explanation.pointing import PointingGame as PointingGame
from wsss.metrics.explanation.substrates import Blur as Blur
from wsss.metrics.explanation.substrates import MeanColour as MeanColour
from wsss.metrics.explanation.substrates import black as black
from wsss.metrics.explanation.substrates import blend as blend
