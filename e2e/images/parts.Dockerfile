# What stands around operator and sidecar in `make e2e`: OPA, Prometheus and Redis as they were built for this machine, the example gateway
# and its load. Built by sark_e2e.pods.archives, from a folder that holds exactly what is copied here.
ARG BASE=docker.io/library/python:3.12-slim-bookworm
FROM ${BASE}
COPY bin /usr/local/bin
COPY python /opt/parts
ENV PYTHONPATH=/opt/parts PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /
# What the container runtime starts to hold a pod's network.
CMD ["sleep", "infinity"]
