# Sourced by the other scripts: installs Debian packages that are missing, and says what it does.

# What the program is built with; docs/dependencies.md has the reason for each.
BUILD_PACKAGES="clang-19 libclang-rt-19-dev llvm-19 lld-19 cmake ninja-build ccache mold pkg-config git ca-certificates
  libboost1.81-dev libboost-url1.81-dev libboost-json1.81-dev libpq-dev libsqlite3-dev libssl-dev libsodium-dev libargon2-dev libsecp256k1-dev
  libfmt-dev prometheus-cpp-dev libcli11-dev libgtest-dev libgmock-dev zlib1g-dev libbrotli-dev python3-minimal python3-yaml"
# What the console is built with.
CONSOLE_PACKAGES="nodejs npm"
# What the tests meet: real servers and a real browser, and Node.js for the functional suite.
TEST_PACKAGES="postgresql-15 postgresql-client-15 nodejs npm curl openssl chromium python3-venv python3-pip
  redis-tools nginx pebble python3-certbot nftables iproute2 util-linux
  prometheus prometheus-alertmanager prometheus-node-exporter prometheus-postgres-exporter prometheus-redis-exporter"
# What script/package makes the Debian package with, and what tests/package boots a Debian with, on top.
PACKAGE_PACKAGES="dpkg-dev"
PACKAGE_TEST_PACKAGES="systemd-container mmdebstrap"
# What the host of script/acceptance is booted with and made of, on top of TEST_PACKAGES.
ACCEPTANCE_PACKAGES="systemd systemd-sysv systemd-container dbus procps redis-server postgresql-contrib prometheus prometheus-alertmanager cron logrotate lsof jq dpkg-dev"
# What the tests of terraform/ need on top: Amazon's description of its calls, and what the scripts there use.
CLOUD_TEST_PACKAGES="python3-botocore python3-jmespath jq shellcheck"
# What script/bench loads the program with, on top.
BENCH_PACKAGES="wrk"
# What script/lint needs on top.
LINT_PACKAGES="clang-tidy-19 clang-format-19 shellcheck"

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# install_packages name... : only what is missing, so that a second run is quick and needs no network.
install_packages() {
  local missing=() package
  for package in "$@"; do
    case "$package" in
      # A Node.js that did not come from Debian serves as well.
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  command -v apt-get >/dev/null || die "apt-get is not here: this script installs packages on Debian 12; install by hand: ${missing[*]}"
  local sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "root or sudo is needed to install: ${missing[*]}"
    sudo="sudo"
  fi
  say "Installing ${#missing[@]} packages: ${missing[*]}"
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update || die "apt-get update failed: is a package mirror reachable?"
  # PostgreSQL's package would start a cluster of its own; the tests start theirs in temporary folders.
  if [ ! -e /etc/postgresql-common/createcluster.conf ] && printf '%s\n' "${missing[@]}" | grep -q '^postgresql-15$'; then
    $sudo mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  # Servers would start now and at every start of the machine; the tests start theirs on free ports, or on a host of their own.
  local quiet="" servers
  servers="$(printf '%s\n' "${missing[@]}" | grep -E '^(nginx|redis-server|cron|prometheus|prometheus-alertmanager|prometheus-.*-exporter)$' || true)"
  if [ -n "$servers" ] && [ ! -e /usr/sbin/policy-rc.d ]; then
    quiet=yes
    printf '#!/bin/sh\nexit 101\n' | $sudo tee /usr/sbin/policy-rc.d >/dev/null
    $sudo chmod 755 /usr/sbin/policy-rc.d
  fi
  local done=yes
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null || done=""
  if [ -n "$quiet" ]; then
    $sudo rm /usr/sbin/policy-rc.d
    for package in $servers; do $sudo update-rc.d "$package" disable >/dev/null 2>&1 || true; done
  fi
  [ -n "$done" ] || die "apt-get could not install: ${missing[*]}"
}

# configure_and_build preset [target...] : output goes to build/<preset>/build.log, errors to the terminal.
configure_and_build() {
  local preset="$1"; shift
  mkdir -p "build/$preset"
  local log="build/$preset/build.log"
  say "Building ($preset); details in $log"
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}; } >"$log" 2>&1; then
    grep -E 'error|FAILED|fatal' "$log" | head -40 >&2
    tail -20 "$log" >&2
    die "the build failed; the whole output is in $log"
  fi
}

# install_console [npm option...] : what console/package-lock.json names, unless it is there already. `--omit=dev` leaves
# out what only its tests need.
install_console() {
  local stamp=console/node_modules/.installed wanted
  wanted="$(cksum <console/package-lock.json) $*"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return 0
  # Whoever has what the tests need has what the build needs.
  [ -f "$stamp" ] && [ "$*" = --omit=dev ] && [ "$(cat "$stamp")" = "$(cksum <console/package-lock.json) " ] && return 0
  (cd console && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >&2) || die "npm could not install what the console needs"
  echo "$wanted" >"$stamp"
}

# install_contract_fuzzer : schemathesis in build/contract-venv, in the versions and with the checksums that
# tests/functional/contract/requirements.txt names; nothing is asked for when they are there already.
install_contract_fuzzer() { install_from_pypi "the contract fuzzer" tests/functional/contract/requirements.txt build/contract-venv; }

# install_cloud_scanner : checkov, likewise.
install_cloud_scanner() { install_from_pypi checkov tests/functional/cloud/requirements.txt build/cloud-venv; }

# install_from_pypi what list venv
install_from_pypi() {
  local list="$2" venv="$3" wanted
  wanted="$(cksum <"$list")"
  [ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "$wanted" ] && return 0
  say "Installing $1 into $venv"
  rm -rf "$venv"
  mkdir -p build
  python3 -m venv "$venv" || die "python3 could not make $venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r "$list" >&2 ||
    die "pip could not install what $list names"
  echo "$wanted" >"$venv/.installed"
}

# build_console : build/console, which the program is then built with.
build_console() {
  mkdir -p build
  say "Building the console; details in build/console.log"
  if ! (cd console && npm run build) >build/console.log 2>&1; then
    tail -30 build/console.log >&2
    die "the console could not be built; the whole output is in build/console.log"
  fi
}
