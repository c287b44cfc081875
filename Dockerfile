# The relay as an image. It reads /etc/relay/relay.toml and keeps its database in /data:
#
#   docker build -t chasqui-relay .
#   docker run -v ./docker/config.toml:/etc/relay/relay.toml:ro -v relay-data:/data -p 127.0.0.1:8080:8080 chasqui-relay
#
# Every setting can come from the environment instead, for instance RELAY_STORE__URL=postgresql://…

# Base images are named by digest (of the index of all architectures); .github/dependabot.yml proposes newer ones.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
RUN python -m venv /opt/relay
WORKDIR /src

# What changes seldom comes first, so that a change of ours builds in seconds. The locks hold every version, and pip takes
# nothing that is not in them with its hash.
COPY docker/requirements.lock docker/build.lock docker/
RUN pip install --no-cache-dir --require-hashes -r docker/build.lock && \
    /opt/relay/bin/pip install --no-cache-dir --require-hashes -r docker/requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY relay relay
COPY adapters adapters
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . && \
    /opt/relay/bin/pip install --no-index --no-deps dist/*.whl

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
RUN useradd --system --uid 10001 --home-dir /data --create-home relay
COPY --from=build /opt/relay /opt/relay
ENV PATH=/opt/relay/bin:$PATH PYTHONUNBUFFERED=1
USER relay
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
CMD ["relay", "run", "-c", "/etc/relay/relay.toml"]
