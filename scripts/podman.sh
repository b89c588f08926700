#!/bin/sh
# podman.sh [DIR]: unpacks Debian's podman 4, the last with CNI, into
# DIR/podman (conformance/bin without one). It is not installed: its package
# would put a conflist into /etc/cni/net.d of this machine.
set -eu
cd "$(dirname "$0")/.."
out=${1:-conformance/bin}/podman
packages="podman conmon libgpgme11 libassuan0 libsubid4 libdevmapper1.02.1 libseccomp2"

[ ! -x "$out/usr/bin/podman" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 0755 "$work"
echo "unpacking Debian's podman" >&2
# shellcheck disable=SC2086 # a list of packages
(
	cd "$work"
	fetch() { apt-get download -qq -o APT::Sandbox::User=root $packages >&2; }
	fetch || { apt-get update -qq >&2 && fetch; }
	case $(echo podman_*) in
	podman_4*) ;;
	*)
		echo "this distribution has $(echo podman_*): podman 4 of Debian 12 is the last with CNI" >&2
		exit 1
		;;
	esac
	for package in *.deb; do
		dpkg -x "$package" root
	done
)
dpkg-deb --field "$work"/podman_*.deb Version | cut -d "~" -f 1 | cut -d + -f 1 >"$work/root/version"
mkdir -p "$(dirname "$out")"
rm -rf "$out"
cp -a "$work/root" "$out"
