// SPDX-License-Identifier: Apache-2.0

package release

import (
	"os"
	"path/filepath"
)

// CacheDirs are where runtimes have libcni keep what it must know at DEL: libcni's
// own default, kubelet's --cni-cache-dir that cri-dockerd took over, and Multus's
// for its delegates.
func CacheDirs() []string {
	return []string{"/var/lib/cni", "/var/lib/cni/cache", "/var/lib/cni/multus"}
}

// Cache gives the folder of the runtime's cache: the one that was named, or the
// first that has an entry of the attachment, or the usual one.
func (r Request) Cache() string {
	if r.CacheDir != "" {
		return r.CacheDir
	}
	for _, dir := range CacheDirs() {
		if _, err := os.Stat(r.entry(dir)); err == nil {
			return dir
		}
	}
	return CacheDirs()[0]
}

// entry gives the file of the attachment, as libcni names it.
func (r Request) entry(cacheDir string) string {
	return filepath.Join(cacheDir, "results", filepath.Base(r.Network+"-"+r.ContainerID+"-"+r.IfName))
}
