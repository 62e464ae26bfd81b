# The worker: the host with its Lua, the walls, and the Python that programs run in. docker/README.md says how it is run.
#
#     docker build -f docker/worker.Dockerfile -t submitter-worker .
#
# Both stages ask for packages only where BASE lacks them, so that with a base which has them nothing is fetched.
ARG BASE=debian:12-slim
ARG BUILD_BASE=${BASE}

FROM ${BUILD_BASE} AS build
WORKDIR /usr/src/submitter
RUN command -v make >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends make; }
# The Makefile knows what is needed, and installs what is missing. Alone first, so that a change of the sources keeps this layer.
COPY Makefile ./
RUN make packages-build
COPY . .
RUN make BUILD=/tmp/build DESTDIR=/stage install && \
    strip --strip-unneeded /stage/usr/local/bin/* && \
    install -D -m 0644 docker/worker.lua /stage/etc/submitter/submitter.lua

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Submitter worker" \
      org.opencontainers.image.description="Grades students' programs: takes each from a bucket when a queue announces it" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
# libcurl4, lua-expat and ca-certificates: S3 and SQS. libpq5: the grade book. python3, uidmap and libcap2-bin: the walls.
RUN missing=; for package in ca-certificates libcap2-bin libcurl4 liblua5.4-0 libpq5 libssl3 libuv1 lua-argparse lua-cjson \
            lua-expat python3 uidmap; do \
        dpkg-query -W -f '${db:Status-Status}' $package 2>/dev/null | grep -qx installed || missing="$missing $package"; \
    done; \
    [ -z "$missing" ] || { \
        apt-get update -qq && \
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing && \
        apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*; \
    }
# An ordinary user, and the users that programs become: below 65,536, because engines that map users give no more than that.
# No program gives rights away but the two which the walls need, and those by capabilities instead of root's user: that may give a
# user namespace users only if it has SYS_ADMIN, which no container should.
RUN set -e; \
    grep -q '^submitter:' /etc/passwd || \
        useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/submitter --shell /usr/sbin/nologin submitter; \
    echo submitter:20000:40000 >/etc/subuid; \
    echo submitter:20000:40000 >/etc/subgid; \
    find / -xdev -type f -perm /6000 -exec chmod a-s '{}' +; \
    setcap cap_setuid=ep /usr/bin/newuidmap; \
    setcap cap_setgid=ep /usr/bin/newgidmap; \
    install -d -o submitter -g submitter -m 0750 /var/lib/submitter
COPY --from=build /stage /
ENV SUBMITTER_VAR=/var/lib/submitter
WORKDIR /var/lib/submitter
USER 10001:10001
STOPSIGNAL SIGTERM
# What the worker says of itself every few seconds. Nobody else is asked, so an outage of the queue costs a check nothing.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=2 CMD ["submitter", "health"]
ENTRYPOINT ["submitter"]
CMD ["serve"]
