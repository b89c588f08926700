module github.com/cni-guard/cni-guard

go 1.26.0
