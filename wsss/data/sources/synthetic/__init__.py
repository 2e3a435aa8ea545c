from wsss.data.sources.synthetic.faults import Faults as Faults
from wsss.data.sources.synthetic.faults import Planted as Planted
from wsss.data.sources.synthetic.synthetic import Synthetic as Synthetic
