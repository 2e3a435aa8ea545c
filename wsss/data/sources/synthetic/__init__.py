from wsss.data.sources.synthetic.synthetic import Synthetic as Synthetic
