from wsss.cams.cluster_cam.cluster_cam import ClusterCAM as ClusterCAM
