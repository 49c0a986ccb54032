# The binary and nothing else, as an ordinary user. `work --exec` runs programs and needs a shell: copy the binary into the
# image that has yours (COPY --from=fairclaim /usr/local/bin/fairclaim /usr/local/bin/).
FROM rust:1.90-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package fairclaim-cli --no-default-features \
 && strip target/release/fairclaim

# It has the certificate authorities that sslmode=verify-full trusts.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/fairclaim /usr/local/bin/fairclaim
ENTRYPOINT ["/usr/local/bin/fairclaim"]
CMD ["--help"]
