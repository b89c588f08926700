#!/bin/sh
# sign.sh KEY DIR: signs DIR/SHA256SUMS with a private key of SSH, or with the public key of
# one that ssh-agent or a security key has, and writes SHA256SUMS.sig. A signature of the
# checksums is one of everything that they list.
set -eu
key=$1
sums=$2/SHA256SUMS

if ! command -v ssh-keygen >/dev/null; then
	echo "ssh-keygen is missing: install the Debian package openssh-client" >&2
	exit 1
fi
rm -f "$sums.sig" # ssh-keygen asks before it replaces one
ssh-keygen -q -Y sign -f "$key" -n cni-guard-release "$sums"
