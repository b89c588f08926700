#!/bin/sh
# test-release.sh [DIR]: builds the release of the last commit twice, in two clones, in
# different directories, time zones and with different file modes, into DIR (a temporary one
# without it). The files must be the same; the checksums, the signature and the list of
# components must be right; and the programs for arm64 must start, in an emulator. Some
# minutes. The commands are those of docs/verify.md.
set -eu
cd "$(dirname "$0")/.."
. scripts/env.sh

scripts/deps.sh qemu-aarch64-static ssh-keygen jq
repository=$PWD
dir=${1:-}
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir/another/place"
dir=$(cd "$dir" && pwd)
VERSION=$(git describe --tags --always)
export VERSION

ssh-keygen -q -t ed25519 -N '' -C '' -f "$dir/key"
export RELEASE_KEY="$dir/key"
git clone -q "$repository" "$dir/cni-guard"
make -C "$dir/cni-guard" release
sleep 1 # no file of the second build is as old as one of the first
git clone -q "$repository" "$dir/another/place/clone"
(umask 077 && TZ=Asia/Tokyo make -C "$dir/another/place/clone" release)

first=$dir/cni-guard/dist
diff -r "$first" "$dir/another/place/clone/dist"
echo "both builds are the same"
cd "$first"
ls -l

printf 'cni-guard %s\n' "$(cat "$dir/key.pub")" >allowed_signers
ssh-keygen -Y verify -f allowed_signers -I cni-guard -n cni-guard-release -s SHA256SUMS.sig <SHA256SUMS
sha256sum --check --quiet SHA256SUMS

components=cni-guard-$VERSION.spdx.json
for arch in amd64 arm64; do
	tar -xzf "cni-guard-$VERSION-linux-$arch.tar.gz"
	for program in cni-guard cni-guard-agent guardctl kubectl-cni_guard loopback; do
		file=cni-guard-$VERSION-linux-$arch/$program
		# What the linker recorded, and what the document says of the program.
		go version -m "$file" | awk '$1 == "dep" { print $2 "@" $3 }' | sort >"$dir/linked"
		jq -r --arg sum "$(sha256sum "$file" | cut -d' ' -f1)" '
			(.packages[] | select(.checksums[0].checksumValue == $sum).SPDXID) as $program
			| [.relationships[] | select(.spdxElementId == $program and .relationshipType == "DEPENDS_ON").relatedSpdxElement] as $parts
			| .packages[] | select(.SPDXID as $id | $parts | index($id)) | select(.name != "stdlib") | .name + "@" + .versionInfo
		' "$components" | sort >"$dir/listed"
		diff "$dir/linked" "$dir/listed"
		echo "$file: the document lists its $(wc -l <"$dir/linked") modules"
	done
done

cd "cni-guard-$VERSION-linux-arm64"
for program in cni-guard loopback; do
	echo '{"cniVersion":"1.1.0"}' | CNI_COMMAND=VERSION qemu-aarch64-static "./$program"
done
qemu-aarch64-static ./guardctl version
qemu-aarch64-static ./cni-guard-agent --version
qemu-aarch64-static ./kubectl-cni_guard --version
