#!/bin/sh
# managers.sh [DIR]: unpacks the systemd-networkd, udevd, NetworkManager and D-Bus
# of this machine's Debian, with the libraries that the machine lacks, into
# DIR/managers/own (conformance/bin without one), and systemd of Debian 13, with
# the libraries that it needs, into DIR/managers/trixie. They are not installed:
# they would take over the network of this machine.
set -eu
cd "$(dirname "$0")/.."
out=${1:-conformance/bin}/managers

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 0755 "$work"

# What is installed already is not fetched: it is there for tests as well.
fetch_own() {
	apt-get -qq -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::Cache::archives="$work/own" \
		--download-only --no-install-recommends -y install systemd udev network-manager dbus >&2
}

# apt has lists of its own for the other release.
fetch_trixie() {
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
	echo "deb http://deb.debian.org/debian trixie main" >"$work/sources.list"
	set -- -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$work/lists" \
		-o Dir::Cache="$work/cache" -o Acquire::Languages=none -o APT::Sandbox::User= -o Acquire::Retries=3
	apt-get "$@" update >&2
	(cd "$work/trixie" && apt-get "$@" download systemd libsystemd-shared libsystemd0 udev libudev1 \
		libc6 libcap2 libacl1 libseccomp2 libselinux1 libmount1 libblkid1 libcrypt1 libssl3t64 libpam0g libkmod2 \
		libaudit1 libzstd1 liblz4-1 liblzma5 libgcrypt20 libpcre2-8-0 libcap-ng0 libxxhash0 libapparmor1 >&2)
}

unpack() { # unpack NAME: makes $out/NAME of the packages in $work/NAME
	tree=$work/tree-$1
	mkdir -p "$tree"
	for package in "$work/$1"/*.deb; do
		[ -e "$package" ] || continue # all are installed
		dpkg-deb --fsys-tarfile "$package" | tar -x -C "$tree"
	done
	for dir in bin sbin lib lib64; do # as they are on a machine with a merged /usr
		[ -d "$tree/$dir" ] && [ ! -L "$tree/$dir" ] || continue
		mkdir -p "$tree/usr/$dir"
		cp -a "$tree/$dir/." "$tree/usr/$dir/"
		rm -rf "${tree:?}/$dir"
	done
	mkdir -p "$out"
	rm -rf "${out:?}/$1"
	cp -a "$tree" "$out/$1.new"
	mv "$out/$1.new" "$out/$1"
}

if [ ! -d "$out/own" ]; then
	echo "unpacking Debian's systemd, NetworkManager and D-Bus" >&2
	mkdir -p "$work/own/partial"
	fetch_own || { apt-get update -qq >&2 && fetch_own; }
	unpack own
fi
if [ ! -d "$out/trixie" ]; then
	echo "unpacking systemd of Debian 13" >&2
	mkdir -p "$work/trixie"
	fetch_trixie
	unpack trixie
fi
