"""Activation-mapping methods behind one signature."""

from wsss.cam.cam import CAM as CAM
from wsss.cam.method import CamMethod as CamMethod
