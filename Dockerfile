# The same appliance as `python app.py`, on any Debian from 12 on.
ARG BASE=debian:13-slim
FROM ${BASE}

RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /app --shell /usr/sbin/nologin spoke \
 && install -d -o spoke -g spoke /data

WORKDIR /app
COPY requirements.lock ./
RUN python3 -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock

COPY app.py pyproject.toml LICENSE README.md ./
COPY webhooks webhooks
COPY templates templates
COPY static static
# The user below cannot write here, and a start without bytecode takes seconds longer.
RUN .venv/bin/python -m compileall -q app.py webhooks

ENV SPOKE_DATA_DIR=/data SPOKE_HOST=0.0.0.0 SPOKE_PORT=8080 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8080
USER spoke
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=10s CMD [".venv/bin/python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SPOKE_PORT'] + '/healthz', timeout=3)"]
CMD [".venv/bin/python", "app.py"]
