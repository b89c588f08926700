// SPDX-License-Identifier: Apache-2.0

package chain_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
)

// entry is a cache entry as libcni writes it.
func entry(config, result string) string {
	return fmt.Sprintf(`{"kind":"cniCacheV1","containerId":"c1","config":%q,"ifName":"eth0","networkName":"net","result":%s}`,
		base64.StdEncoding.EncodeToString([]byte(config)), result)
}

func TestFind(t *testing.T) {
	const (
		cache  = "cache/results/net-c1-eth0"
		list   = `{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"a"},{"type":"b"}]}`
		single = `{"cniVersion":"1.0.0","name":"net","type":"a"}`
		bare   = `{"cniVersion":"1.0.0","name":"net"}`
	)
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string // the plugins, last first
	}{
		{"cached list", map[string]string{cache: entry(list, "{}")}, []string{"b", "a"}},
		{"cached single", map[string]string{cache: entry(single, "{}")}, []string{"a"}},
		{"cached before conf dir", map[string]string{cache: entry(single, "{}"), "net.d/10.conflist": list}, []string{"a"}},
		{"torn entry", map[string]string{cache: "", "net.d/10.conflist": list}, []string{"b", "a"}},
		{"entry of another kind", map[string]string{cache: `{"kind":"v9","config":""}`, "net.d/10.conflist": list}, []string{"b", "a"}},
		{"entry without plugins", map[string]string{cache: entry(bare, "{}"), "net.d/10.conflist": list}, []string{"b", "a"}},
		{"list with a type", map[string]string{"net.d/10.conflist": `{"type":"x",` + list[1:]}, []string{"b", "a"}},
		{"single as json", map[string]string{"net.d/10.json": single}, []string{"a"}},
		{"first of two", map[string]string{"net.d/10.conf": single, "net.d/20.conflist": list}, []string{"a"}},
		{"other files", map[string]string{
			"net.d/01.conflist": "{", "net.d/02.conf": "", "net.d/03.json": "[]", "net.d/04.conflist": `{"name":7}`,
			"net.d/05.conflist": bare, "net.d/06.txt": single, "net.d/90.conflist": list,
		}, []string{"b", "a"}},
		{"cached with plugins of a folder", map[string]string{cache: entry(list, "{}"), "net.d/net/x.conf": `{"type":"c"}`}, []string{"c", "b", "a"}},
		{"cached with plugins of a folder only", map[string]string{cache: entry(bare, "{}"), "net.d/net/x.conf": `{"type":"c"}`}, []string{"c"}},
		{"conf dir with plugins of a folder", map[string]string{"net.d/10.conflist": list, "net.d/net/x.conf": `{"type":"c"}`}, []string{"c", "b", "a"}},
		{"inlined plugins only", map[string]string{"net.d/10.conflist": `{"loadOnlyInlinedPlugins":true,` + list[1:], "net.d/net/x.conf": `{"type":"c"}`}, []string{"b", "a"}},
		{"single has no folder", map[string]string{"net.d/10.conf": single, "net.d/net/x.conf": `{"type":"c"}`}, []string{"a"}},
		{"file of that name", map[string]string{"net.d/10.conflist": list, "net.d/net": "notes"}, []string{"b", "a"}},
		{"result that makes no sense", map[string]string{cache: entry(list, `{"cniVersion":"0.4.0","ips":[null]}`)}, []string{"b", "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := folder(t.TempDir())
			for name, content := range tt.files {
				f.write(t, name, content, 0o600)
			}
			var got []string
			for _, p := range f.find(t).Plan(nil).Plugins {
				got = append(got, p.Type)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("the chain is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFindFails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		none  bool
	}{
		{"nothing there", nil, true},
		{"no plugins", map[string]string{"net.d/10.conflist": `{"cniVersion":"1.0.0","name":"net"}`}, true},
		{"cache that is no folder", map[string]string{"cache": "", "net.d/10.conf": `{"name":"net","type":"a"}`}, false},
		{"broken plugin in the network's folder", map[string]string{"net.d/10.conflist": `{"name":"net"}`, "net.d/net/x.conf": "{"}, false},
	} {
		f := folder(t.TempDir())
		for name, content := range tt.files {
			f.write(t, name, content, 0o600)
		}
		a := chain.Attachment{ContainerID: "c1", IfName: "eth0", Network: "net", CacheDir: string(f) + "/cache", ConfDirs: []string{string(f) + "/net.d"}}
		if _, err := chain.Find(a); err == nil || errors.Is(err, chain.ErrNone) != tt.none {
			t.Errorf("%s: the error is %v", tt.name, err)
		}
	}
}

// libcni takes any name at DEL; a release must not take a name that no attachment has.
func TestFindRefusesNames(t *testing.T) {
	good := chain.Attachment{ContainerID: "c1", IfName: "eth0", Network: "net"}
	for _, spoil := range []func(*chain.Attachment){
		func(a *chain.Attachment) { a.ContainerID = "" },
		func(a *chain.Attachment) { a.ContainerID = "../c1" },
		func(a *chain.Attachment) { a.IfName = "" },
		func(a *chain.Attachment) { a.IfName = "a/b" },
		func(a *chain.Attachment) { a.Network = "" },
	} {
		a := good
		spoil(&a)
		if _, err := chain.Find(a); err == nil || errors.Is(err, chain.ErrNone) {
			t.Errorf("%+v: the error is %v", a, err)
		}
	}
}
