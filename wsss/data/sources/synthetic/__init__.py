from wsss.data.sources.synthetic.source import Synthetic as Synthetic
