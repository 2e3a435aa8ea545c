from wsss.data.sources.folder.folder import Folder as Folder
