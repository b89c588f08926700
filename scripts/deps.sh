#!/bin/sh
# deps.sh [PROGRAM...]: checks for the Debian packages that the tests and the demo
# need, and to those of the named programs.
# As root it installs those that are missing; otherwise it prints their names.
set -eu

missing=
need() { # need PROGRAM PACKAGE
	PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || missing="$missing $2"
}
need ip iproute2
need iptables iptables
need nft nftables
need unshare util-linux
need mount mount
need strace strace
need chattr e2fsprogs
need sysctl procps
need ethtool ethtool
for program; do
	case $program in
	qemu-system-x86_64) need "$program" qemu-system-x86 ;;
	modprobe) need modprobe kmod ;;
	qemu-aarch64-static) need qemu-aarch64-static qemu-user-static ;;
	ssh-keygen) need ssh-keygen openssh-client ;;
	wg) need wg wireguard-tools ;;
	*/systemd-networkd) need "$program" systemd ;;
	gcc)
		need gcc gcc
		[ -f /usr/include/stdio.h ] || missing="$missing libc6-dev" # not a dependency of gcc
		;;
	*) need "$program" "$program" ;;
	esac
done

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "Debian packages are missing. As root: apt-get install$missing" >&2
	exit 1
fi
echo "installing Debian packages:$missing" >&2
apt-get update -qq >&2
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
