# The image of both stages. It needs Python 3.11 or newer as python3, with the venv module.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS builder
WORKDIR /app
RUN ["python3", "-m", "venv", "/app/venv"]
COPY requirements/service.txt requirements/service.txt
RUN ["/app/venv/bin/python", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", \
     "--only-binary", ":all:", "--require-hashes", "-r", "requirements/service.txt"]
COPY clients /tmp/clients
RUN ["/app/venv/bin/python", "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", \
     "--wheel-dir", "/app/venv/share/weightinit", "/tmp/clients"]
COPY LICENSE LICENSE
COPY scripts/container container
COPY service service
# Compile Python and kernels here, so that containers start faster.
#
# Numba caches machine code by the name and features of the processor. On the kind of processor that built the
# image, a container is ready at once. On another kind it compiles for some seconds at its start, and then serves
# the same bytes: the stream does not depend on the instruction set. Compiling for one processor (NUMBA_CPU_NAME,
# NUMBA_CPU_FEATURES) would save those seconds, but no machine would use wider vectors.
ENV NUMBA_CACHE_DIR=/app/kernels
RUN /app/venv/bin/python -m compileall -q service && /app/venv/bin/python -m service selfcheck

FROM ${BASE}
LABEL org.opencontainers.image.title="weightinit" \
      org.opencontainers.image.description="Initial weights for neural networks over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=builder /app /app
# Published models. A new volume that is mounted here gets the owner of this directory.
RUN ["install", "-d", "-o", "10001", "-g", "10001", "/data"]
VOLUME /data
ENV HOME=/tmp \
    PATH=/app/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    WEIGHTINIT_DATA_DIRECTORY=/data \
    WEIGHTINIT_HOST=0.0.0.0 \
    WEIGHTINIT_PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"WEIGHTINIT_PORT\"]}/readyz', timeout=4)"]
ENTRYPOINT ["/app/container"]
CMD ["python", "-m", "service"]
