# One image with a command for each component: roadstead operator, webhooks, forward-auth, …
# The base is Debian 12, whose python3 is 3.11. The last stage has no build tools.

# Pin it by digest with `--build-arg BASE=debian:bookworm-slim@sha256:...`.
ARG BASE=debian:bookworm-slim

# --- the dependencies; each file is checked against its hash in requirements.txt
FROM ${BASE} AS dependencies
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3-venv \
 && rm -rf /var/lib/apt/lists/*
# Two environments: only the second, which has no pip, is in the final image.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/roadstead
# For builds behind a mirror of PyPI: its address, and the CA of its certificate.
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY requirements.txt requirements-build.txt /src/
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN /opt/build/bin/pip install --no-compile --require-hashes --only-binary :all: -r /src/requirements-build.txt \
 && /opt/build/bin/pip --python /opt/roadstead/bin/python install --no-compile --require-hashes --only-binary :all: --report /opt/installed.json -r /src/requirements.txt
# Byte code that is never checked against its source: the root file system is read-only at run time.
# The Kubernetes client's 1,500 generated classes are skipped: they load lazily and are never used.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x 'kubernetes/(aio/)?client/(api|models)/' /opt/roadstead/lib

# --- this repository's wheel, laid out under /staged: a source change then changes one small layer
FROM dependencies AS program
COPY pyproject.toml README.md LICENSE /src/
COPY operator /src/operator
COPY webhooks /src/webhooks
COPY crds /src/crds
COPY templates /src/templates
RUN /opt/build/bin/pip wheel -q --no-deps --no-build-isolation --wheel-dir /dist /src \
 && /opt/build/bin/pip --python /opt/roadstead/bin/python install -q --no-compile --no-deps --no-index --root /staged /dist/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash -s /staged /staged/opt/roadstead/lib

# --- the runtime environment
FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=dependencies /opt/roadstead /opt/roadstead
COPY --from=program /staged/opt/roadstead /opt/roadstead

# --- the bill of materials, generated from the files that are installed
FROM dependencies AS lister
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY requirements-sbom.txt /src/
RUN python3 -m venv --without-pip /opt/lister \
 && /opt/build/bin/pip --python /opt/lister/bin/python install --no-compile --require-hashes --only-binary :all: -r /src/requirements-sbom.txt

FROM runtime AS listed
COPY --from=lister /opt/lister /opt/lister
COPY --from=dependencies /opt/installed.json /opt/
COPY dev/images/sbom.py /src/
RUN /opt/lister/bin/python /src/sbom.py /opt/roadstead/lib/python3*/site-packages /opt/installed.json > /sbom.cdx.json

# --- the image
FROM runtime
COPY --from=listed /sbom.cdx.json /usr/share/roadstead/sbom.cdx.json
# The UID has no entry in /etc/passwd, and a cluster may choose another one. These variables
# replace what libraries would read there: the home directory (Kubernetes client), the name (kopf).
ENV PATH=/opt/roadstead/bin:/usr/bin:/bin \
    HOME=/tmp \
    LOGNAME=roadstead \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["roadstead"]
LABEL org.opencontainers.image.title="Roadstead" \
      org.opencontainers.image.description="Serves GGUF language models on premises under contract" \
      org.opencontainers.image.licenses="Apache-2.0"
