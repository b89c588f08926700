#!/bin/sh
# conformance.sh [FLAGS]: plays the incidents on real container runtimes, each in
# a private node of this machine, without the guard and with it. -list names
# scenarios and runtimes; -run NAME and -runtime NAME pick one; -json is for
# programs, and for -join, which makes one report of several; -h has the rest.
# Needs root; installs what it needs of Debian.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin # where Debian keeps runc and ip; where Go's archive goes
export PATH

if [ "$(id -u)" != 0 ]; then
	echo "container runtimes need root: run this as root" >&2
	exit 2
fi
if ! command -v go >/dev/null; then
	echo "go is missing: install Go 1.26 from https://go.dev/dl, or the Debian package golang-go where it is that new" >&2
	exit 2
fi
scripts/deps.sh containerd runc conmon /lib/systemd/systemd-networkd
bin=conformance/bin
echo "building the plugins, the reference plugins and the suite" >&2
scripts/build.sh $bin/guard
scripts/plugins.sh $bin/ref
scripts/containerd.sh $bin
scripts/crio.sh $bin
scripts/podman.sh $bin || echo "going on without podman" >&2
CGO_ENABLED=0 go build -C conformance -trimpath -o bin/ ./pause
CGO_ENABLED=0 go build -C conformance -trimpath -o bin/conformance .

cd conformance
exec bin/conformance "$@"
