# The relay as an image. It reads /etc/relay/relay.toml and keeps its database in /data:
#
#   docker build -t chasqui-relay .
#   docker run -v ./docker/config.toml:/etc/relay/relay.toml:ro -v relay-data:/data -p 127.0.0.1:8080:8080 chasqui-relay
#
# Every setting can come from the environment instead, for instance RELAY_STORE__URL=postgresql://…

FROM python:3.13-slim AS build
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1
RUN pip install --no-cache-dir uv && uv venv /opt/relay
WORKDIR /src

# What changes seldom comes first, so that a change of ours builds in seconds. The lock holds every version and hash.
COPY pyproject.toml requirements.lock ./
RUN uv pip install --python /opt/relay/bin/python --constraint requirements.lock \
    --extra discord --extra telegram --extra matrix --extra postgres -r pyproject.toml

COPY README.md LICENSE ./
COPY relay relay
COPY adapters adapters
RUN uv pip install --python /opt/relay/bin/python --build-constraint requirements.lock --no-deps .

FROM python:3.13-slim
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
