from wsss.cams.meng.meng import Meng as Meng
