// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/release"
)

func TestNeedsNamespace(t *testing.T) {
	for name, c := range map[string]struct {
		entry string
		want  bool
	}{
		"sbr in a list":          {entry(`{"plugins":[{"type":"ptp"},{"type":"sbr"}]}`), true},
		"host-device in a list":  {entry(`{"plugins":[{"type":"host-device"},{"type":"tuning"}]}`), true},
		"host-device by itself":  {entry(`{"type":"host-device"}`), true},
		"neither":                {entry(`{"plugins":[{"type":"ptp"},{"type":"portmap"}]}`), false},
		"only in another's part": {entry(`{"plugins":[{"type":"ptp","ipam":{"type":"sbr"}}]}`), false},
		"no configuration":       {`{"kind":"cniCacheV1"}`, false},
		"a result only":          {`{"cniVersion":"1.0.0"}`, false},
		"torn":                   {entry(`{"type":"sbr"}`)[:20], false},
		"no list":                {entry(`["sbr"]`), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := release.Request{ContainerID: "c0ffee", IfName: "eth0", Network: "net", CacheDir: t.TempDir()}
			if r.NeedsNamespace() {
				t.Error("help is needed without an entry")
			}
			results := filepath.Join(r.CacheDir, "results")
			if err := os.Mkdir(results, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(results, "net-c0ffee-eth0"), []byte(c.entry), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := r.NeedsNamespace(); got != c.want {
				t.Errorf("NeedsNamespace = %t, want %t", got, c.want)
			}
		})
	}
}

// entry is what libcni keeps of an attachment.
func entry(config string) string {
	return fmt.Sprintf(`{"kind":"cniCacheV1","config":%q}`, base64.StdEncoding.EncodeToString([]byte(config)))
}
