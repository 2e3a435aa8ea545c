from wsss.data.sources.webdataset.webdataset import WebDataset as WebDataset
