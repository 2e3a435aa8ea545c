"""Activation-mapping methods behind one signature."""

from wsss.cam.ad_cam import ADCAM as ADCAM
from wsss.cam.cam import CAM as CAM
from wsss.cam.cluster_cam import ClusterCAM as ClusterCAM
from wsss.cam.extended_cam import ExtendedCAM as ExtendedCAM
from wsss.cam.fd_cam import FDCAM as FDCAM
from wsss.cam.fg_cam import FGCAM as FGCAM
from wsss.cam.gradcam import GradCAM as GradCAM
from wsss.cam.gradcam import LayerCAM as LayerCAM
from wsss.cam.infer_cam import InferCAM as InferCAM
from wsss.cam.meng import Meng as Meng
from wsss.cam.method import CamMethod as CamMethod
from wsss.cam.recam import ReCAM as ReCAM
from wsss.cam.recipro_cam import ReciproCAM as ReciproCAM
from wsss.cam.token_recipro_cam import TokenReciproCAM as TokenReciproCAM
from wsss.cam.vscam import VSCAM as VSCAM
