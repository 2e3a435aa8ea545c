from wsss.cams.extended_cam.extended_cam import ExtendedCAM as ExtendedCAM
