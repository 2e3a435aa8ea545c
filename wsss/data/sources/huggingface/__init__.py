from wsss.data.sources.huggingface.huggingface import HuggingFace as HuggingFace
