# The image of the page: contract/, webapp/ and the packages of requirements/web.txt.
#
#   docker build --tag lesion-page .
#   docker run --publish 8080:8080 --env CLASSIFY_URL=... --env CLASSIFY_AUTH=none lesion-page
#
# The largest accepted picture needs 1 GB for two seconds while it is decoded: give the container 2 GB.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# checkov:skip=CKV_DOCKER_7: the tag is in BASE_IMAGE, which checkov does not evaluate
FROM ${BASE_IMAGE} AS packages
COPY requirements/web.txt /requirements.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        --requirement /requirements.txt

FROM ${BASE_IMAGE}
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin page
COPY --from=packages /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["gunicorn", "--config", "python:webapp.gunicorn_conf", "webapp.app:create_app()"]
COPY contract/ contract/
COPY webapp/ webapp/
