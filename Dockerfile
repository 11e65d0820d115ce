# The operator's image: what is built stays behind, what runs is Python and the locked packages.
# The fetcher's is the same with its own lock (decision 0007):
#   docker build --build-arg LOCK=fetch -t canarium-fetch .
# And the dashboard's (decision 0033), which the chart starts as `python -m canarium_dashboard`:
#   docker build --build-arg LOCK=dashboard -t canarium-dashboard .
# And the notifier's (decision 0037), which the chart starts as `canarium notify`:
#   docker build --build-arg LOCK=notifier -t canarium-notifier .
# And the command line's (decision 0055), which has kubectl too and which `helm test` runs:
#   docker build --target cli --build-arg LOCK=cli -t canarium-cli .
# PYTHON and KUBECTL are pinned by version here; a release pins them by digest:
#   docker build --build-arg PYTHON=docker.io/library/python:3.13.16-slim-trixie@sha256:… .
ARG PYTHON=docker.io/library/python:3.13.16-slim-trixie
ARG KUBECTL=registry.k8s.io/kubectl:v1.36.3

FROM ${PYTHON} AS build
ARG LOCK=runtime
WORKDIR /src
COPY requirements/${LOCK}.txt requirements/
# Every package by its hash: what was locked, or nothing.
RUN pip install --no-cache-dir --no-compile --require-hashes --only-binary=:all: \
    --target /opt/site -r requirements/${LOCK}.txt
COPY operator/canarium /opt/site/canarium
COPY cli/canarium_dashboard /opt/site/canarium_dashboard
COPY cli/canarium_cli /opt/site/canarium_cli
# Each of them is in the image that has what it imports.
RUN [ "$LOCK" = dashboard ] || rm -r /opt/site/canarium_dashboard
RUN [ "$LOCK" = cli ] || rm -r /opt/site/canarium_cli
RUN mkdir /opt/bin && printf '#!/usr/local/bin/python\nfrom canarium_cli.main import main\nmain()\n' \
    > /opt/bin/kubectl-modeldeploy && chmod 755 /opt/bin/kubectl-modeldeploy
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/site

FROM ${PYTHON} AS run
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title=canarium \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=${VERSION}
COPY --from=build /opt/site /opt/site
ENV PYTHONPATH=/opt/site PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532

FROM ${KUBECTL} AS kubectl

FROM run AS cli
COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl
COPY --from=build /opt/bin /usr/local/bin
ENTRYPOINT ["kubectl-modeldeploy"]

FROM run
ENTRYPOINT ["python", "-m", "canarium"]
