# SPDX-License-Identifier: MIT
# The Makefile's targets on a bare Debian:
#   docker build -t semcosim . && docker run --rm -v "$PWD/runs:/semcosim/runs" semcosim make demo
FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates g++ make python3 python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /semcosim
COPY . .
RUN make setup
CMD ["make", "demo"]
