# docker build -t impress-bench . && docker run --rm -v "$PWD/runs:/impress-bench/runs" impress-bench run --preset quick
#
# Every step below is a target of the Makefile, as on any other machine. The image itself has never been
# built: no machine of ours has Docker. Its base has Python, make and git.
FROM python:3.11
WORKDIR /impress-bench
COPY . .
RUN make install
ENTRYPOINT [".venv/bin/impress-bench"]
CMD ["--help"]
