# The sidecar with the embedded engine. Build from the project's folder: `make images`, which puts the engine's wheel into .cache/wheels.
# BASE is any image with Python >= 3.11 and a glibc as new as that of the machine that built the wheel, the same for both stages.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/sark
WORKDIR /src
COPY requirements/sidecar.txt requirements/image-build.txt requirements/
RUN /build/bin/python -m pip --python /opt/sark/bin/python install --require-hashes --no-compile -r requirements/sidecar.txt \
    && /build/bin/python -m pip install --require-hashes -r requirements/image-build.txt
COPY .cache/wheels wheels
RUN /build/bin/python -m pip --python /opt/sark/bin/python install --no-deps --no-index --no-compile wheels/*.whl
COPY pyproject.toml README.md LICENSE ./
COPY images/*.py images/
COPY crds crds
COPY client client
COPY sidecar sidecar
COPY operator operator
RUN /build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/python -m pip --python /opt/sark/bin/python install --no-deps --no-index --no-compile /wheels/*.whl \
    && rm -rf /opt/sark/lib/python3*/site-packages/sark_operator /opt/sark/lib/python3*/site-packages/sark_cli \
        /opt/sark/bin/sark-operator /opt/sark/bin/sark-rollout /opt/sark/bin/kubectl-sark_rollout \
        /opt/sark/bin/kubectl_complete-sark_rollout \
    && python3 images/prune_client.py /opt/sark \
    && /build/bin/python images/sbom.py sidecar /opt/sark --output /sbom.cdx.json \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/sark/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="sark-sidecar" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/sark /opt/sark
COPY LICENSE /usr/share/doc/sark/LICENSE
# What this image is made of, as CycloneDX JSON.
COPY --from=build /sbom.cdx.json /usr/share/doc/sark/sbom.cdx.json
ENV PATH=/opt/sark/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /
EXPOSE 8180 8182
ENTRYPOINT ["sark-sidecar"]
