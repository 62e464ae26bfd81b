# What submissions run in, one container each: a Python, and beside it the walls and the runner. docker/README.md says how it is
# used.
#
#     docker build -f docker/runner.Dockerfile --build-arg BASE=python:3.9-slim -t submitter-python:3.9 .
#
# BASE may be any image with a Python from 3.8 on, Debian's or Alpine's kind; what else programs may import belongs in it. The two
# programs are static, so they fit whatever C library the base has. They are compiled in another image, which has the GNU C
# library, 2.36 or newer, as Debian 12 has: Alpine's library lacks the calls for mounts.
ARG BASE=python:3.9-slim
ARG BUILDER=debian:12-slim

FROM ${BUILDER} AS build
USER 0:0
WORKDIR /usr/src/submitter
# Asked for only where they are missing: with a builder that has them nothing is fetched.
RUN if command -v gcc && command -v make && pkg-config --exists libseccomp; then exit 0; \
    elif command -v apt-get; then \
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            gcc libc6-dev make pkg-config libseccomp-dev; \
    else \
        echo "The builder has no apt-get: name an image of Debian 12 or newer, --build-arg BUILDER=debian:12-slim" >&2; exit 1; \
    fi >/dev/null
COPY Makefile ./
COPY csrc csrc
RUN make BUILD=/build walls && strip /build/submitter-sandbox /build/submitter-runner

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Submitter runner" \
      org.opencontainers.image.description="Runs one submission's cases within walls, and is thrown away" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT" \
      submitter.protocol="1"
# The container's root, whom the engine leaves two capabilities: walls can't be raised by anybody less, since the users within them
# are others than himself. Neither runner nor program is root beyond the walls.
USER 0:0
WORKDIR /
COPY --from=build /build/submitter-sandbox /build/submitter-runner /usr/lib/submitter/
COPY docker/runner/specification.py /usr/lib/submitter/
RUN command -v python3 >/dev/null || { echo "The base has no python3: name another, --build-arg BASE=…" >&2; exit 1; }; \
    python3 -I /usr/lib/submitter/specification.py >/usr/lib/submitter/container.spec
ENTRYPOINT ["/usr/lib/submitter/submitter-sandbox", "--spec", "/usr/lib/submitter/container.spec"]
