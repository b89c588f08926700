#!/bin/sh
# kubernetes.sh [DIR [COMMAND...]]: builds programs of Kubernetes, etcd and helm, static,
# and links their directory as DIR/kubernetes (conformance/bin without one): the commands, or
# without any all that a cluster needs. A quarter of an hour on two idle cores the first time;
# afterwards only what is not there, until a version below changes.
set -eu
version=v1.36.3
etcd=v3.6.16
helm=v4.3.1

cd "$(dirname "$0")/.."
. scripts/env.sh
out=${1:-conformance/bin}
[ $# = 0 ] || shift
[ $# -gt 0 ] || set -- kubelet kube-apiserver kube-controller-manager kube-scheduler kubectl etcd helm
mkdir -p "$out"
out=$(cd "$out" && pwd)
built=$out/kubernetes-$version-etcd-$etcd-helm-$helm
mkdir -p "$built"
missing=
for command; do [ -x "$built/$command" ] || missing="$missing $command"; done
if [ -n "$missing" ]; then
	echo "building$missing of Kubernetes $version, etcd $etcd and helm $helm (takes minutes)" >&2
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	export GOFLAGS="$GOFLAGS -modcacherw" CGO_ENABLED=0
	mkdir -p "$work/kubernetes" "$work/etcd" "$work/none" "$built/.new"
	for command in $missing; do
		case $command in
		helm)
			# Outside of any module: its dependencies are not ours. The Go checksum database
			# vouches for them.
			(cd / && GOBIN=$built/.new go install -trimpath -ldflags "-s -w" "helm.sh/helm/v4/cmd/helm@$helm")
			;;
		etcd)
			# It and Kubernetes have replace directives, so that `go install MODULE@VERSION`
			# refuses them. A module that requires them can be built.
			(
				cd "$work/etcd"
				printf 'module etcd\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$etcd" >go.mod
				printf '//go:build tools\n\npackage etcd\n\nimport _ "go.etcd.io/etcd/server/v3"\n' >tools.go
				go mod tidy
				go build -trimpath -ldflags "-s -w" -o "$built/.new/etcd" go.etcd.io/etcd/server/v3
			)
			;;
		*) kubernetes="${kubernetes:-} $command" ;;
		esac
	done
	if [ -n "${kubernetes:-}" ]; then
		source=$(
			cd "$work/none"
			go mod init none 2>/dev/null
			go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p'
		)
		[ -d "$source" ] || { echo "cannot download Kubernetes $version" >&2; exit 1; }
		(
			cd "$work/kubernetes"
			{
				printf 'module kubernetes\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$version"
				# The staging modules of v1.X.Y are served as v0.X.Y.
				sed -n "s#^\t\(k8s.io/[a-z0-9-]*\) => ./staging/src/.*#\t\1 => \1 v0${version#v1}#p" "$source/go.mod"
				echo ')'
			} >go.mod
			{
				printf '//go:build tools\n\npackage kubernetes\n\nimport (\n'
				for command in $kubernetes; do printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "$command"; done
				echo ')'
			} >tools.go
			cp "$source/go.sum" .
			go mod tidy
			for command in $kubernetes; do
				go build -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36" \
					-o "$built/.new/" "k8s.io/kubernetes/cmd/$command"
			done
		)
	fi
	mv "$built/.new"/* "$built/"
fi
ln -sfn "${built##*/}" "$out/kubernetes"
