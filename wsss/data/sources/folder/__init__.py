from wsss.data.sources.folder.source import Folder as Folder
