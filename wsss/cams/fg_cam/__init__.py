from wsss.cams.fg_cam.fg_cam import FGCAM as FGCAM
