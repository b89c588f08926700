# shellcheck shell=sh
# env.sh is read by the other scripts: it finds the programs where Debian and
# Go's archive put them, and says what is missing before anything is built.

PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin
export PATH
# A checkout that is another user's is no reason to fail; VERSION names the build.
export GOFLAGS="${GOFLAGS:-} -buildvcs=false"

if ! command -v go >/dev/null; then
	echo "go is missing: install Go 1.26 from https://go.dev/dl, or the Debian package golang-go where it is that new" >&2
	exit 1
fi
