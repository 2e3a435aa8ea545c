from wsss.cams.ad_cam.ad_cam import ADCAM as ADCAM
