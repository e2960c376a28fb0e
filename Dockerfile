# One image, one command each: roadstead operator, webhooks, forward-auth, console, transfer, …
# The base is Debian 12, whose python3 is 3.11. Nothing that builds is in the last stage.

# Pin it by digest with `--build-arg BASE=debian:bookworm-slim@sha256:...`.
ARG BASE=debian:bookworm-slim

# --- the dependencies, each file checked against the hash in requirements.txt
FROM ${BASE} AS dependencies
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3-venv \
 && rm -rf /var/lib/apt/lists/*
# Two environments: the second, which is shipped, holds no pip.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/roadstead
# For those who build behind a mirror of PyPI: its address, and the CA that vouches for it.
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY requirements.txt requirements-build.txt /src/
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN /opt/build/bin/pip install --no-compile --require-hashes --only-binary :all: -r /src/requirements-build.txt \
 && /opt/build/bin/pip --python /opt/roadstead/bin/python install --no-compile --require-hashes --only-binary :all: --report /opt/installed.json -r /src/requirements.txt
# Byte code that is never checked against its source: the root file system is read-only at run time.
# Not of the Kubernetes client's 1,500 generated classes: they load lazily and none is ever loaded.
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x 'kubernetes/(aio/)?client/(api|models)/' /opt/roadstead/lib

# --- this repository's wheel, laid out under /staged so that a changed source changes one small layer
FROM dependencies AS program
COPY pyproject.toml README.md LICENSE /src/
COPY operator /src/operator
COPY webhooks /src/webhooks
COPY crds /src/crds
COPY templates /src/templates
RUN /opt/build/bin/pip wheel -q --no-deps --no-build-isolation --wheel-dir /dist /src \
 && /opt/build/bin/pip --python /opt/roadstead/bin/python install -q --no-compile --no-deps --no-index --root /staged /dist/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash -s /staged /staged/opt/roadstead/lib

# --- what runs
FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
COPY --from=dependencies /opt/roadstead /opt/roadstead
COPY --from=program /staged/opt/roadstead /opt/roadstead

# --- what is in it, listed by what is found there
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
# No account has this number, nor one that a cluster may choose: what the libraries would look up in
# one (the Kubernetes client the home directory, kopf the name) is told to them.
ENV PATH=/opt/roadstead/bin:/usr/bin:/bin \
    HOME=/tmp \
    LOGNAME=roadstead \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["roadstead"]
LABEL org.opencontainers.image.title="Roadstead" \
      org.opencontainers.image.description="Brings GGUF language models on premises and serves them under contract" \
      org.opencontainers.image.licenses="Apache-2.0"
