"""A cluster whose pods are real: kubelet, containerd, CNI and kube-proxy, in namespaces of the kernel that end with it."""
