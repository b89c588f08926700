// SPDX-License-Identifier: Apache-2.0

package runtimeconf_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// The command line overrides the environment, which overrides the files, of which the
// last one that sets the key counts, as CRI-O 1.36 does.
func TestDefaultNetwork(t *testing.T) {
	const (
		main, dropIn  = "etc/crio/crio.conf", "etc/crio/crio.conf.d/"
		a, b, c       = "[crio.network]\ncni_default_network = \"a\"\n", "[crio.network]\ncni_default_network = \"b\"\n", "[crio.network]\ncni_default_network = \"c\"\n"
		nothing, what = "[crio.network]\nnetwork_dir = \"/x\"\n", "[crio.network]\ncni_default_network = 1\n"
	)
	for name, test := range map[string]struct {
		args, env string
		files     map[string]string
		want      string // "error: " and a part of it
	}{
		"nothing":                  {"crio", "", nil, ""},
		"the file":                 {"crio", "", map[string]string{main: a}, "a"},
		"a drop-in":                {"crio", "", map[string]string{main: a, dropIn + "10-x": b}, "b"},
		"the last drop-in":         {"crio", "", map[string]string{main: a, dropIn + "10-x": c, dropIn + "05-x.conf": b}, "c"},
		"a drop-in of something":   {"crio", "", map[string]string{main: a, dropIn + "10-x": nothing}, "a"},
		"a drop-in in a folder":    {"crio", "", map[string]string{main: a, dropIn + "50/deep/x.conf": c, dropIn + "10-x": b}, "c"},
		"drop-ins only":            {"crio", "", map[string]string{dropIn + "10-x": b}, "b"},
		"the environment":          {"crio", "CONTAINER_CNI_DEFAULT_NETWORK=e", map[string]string{main: a}, "e"},
		"an empty environment":     {"crio", "CONTAINER_CNI_DEFAULT_NETWORK=", map[string]string{main: a}, ""},
		"the command line":         {"crio --cni-default-network f", "CONTAINER_CNI_DEFAULT_NETWORK=e", map[string]string{main: a}, "f"},
		"the last flag":            {"crio --cni-default-network f --cni-default-network=g", "", nil, "g"},
		"an empty flag":            {"crio --cni-default-network=", "", map[string]string{main: a}, ""},
		"another file":             {"crio --config /x/c", "", map[string]string{main: a, "x/c": b}, "b"},
		"another file by env":      {"crio", "CONTAINER_CONFIG=/x/c", map[string]string{main: a, "x/c": b}, "b"},
		"another file by -c":       {"crio -c /x/c", "CONTAINER_CONFIG=/y", map[string]string{main: a, "x/c": b}, "b"},
		"a relative file":          {"crio -c c", "", map[string]string{main: a, "work/c": b}, "b"},
		"no file":                  {"crio --config=", "", map[string]string{main: a, dropIn + "10-x": c}, "c"},
		"another folder":           {"crio -d /x/d", "", map[string]string{main: a, dropIn + "10-x": b, "x/d/1": c}, "c"},
		"another folder by env":    {"crio", "CONTAINER_CONFIG_DIR=/x/d", map[string]string{main: a, dropIn + "10-x": b, "x/d/1": c}, "c"},
		"no folder":                {"crio --config-dir=", "", map[string]string{main: a, dropIn + "10-x": b}, "a"},
		"a value that is odd":      {"crio", "", map[string]string{main: what}, "error: /etc/crio/crio.conf: cni_default_network is in a line"},
		"odd, and overridden":      {"crio", "", map[string]string{main: what, dropIn + "10-x": b}, "b"},
		"odd, and a flag":          {"crio --cni-default-network=f", "", map[string]string{main: what}, "f"},
		"no environment":           {"crio", "-", map[string]string{main: a}, "error: read environment of process 7"},
		"no environment, a flag":   {"crio --cni-default-network=f", "-", map[string]string{main: a}, "f"},
		"a folder instead of file": {"crio", "", map[string]string{main + "/x": a}, "error: read cni_default_network"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, text := range test.files {
				write(t, filepath.Join(root, path), text)
			}
			got, err := runtimeconf.CRIO{Process: read(t, test.args, test.env), Root: root}.DefaultNetwork()
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != test.want && (err == nil || !strings.Contains(got, strings.TrimPrefix(test.want, "error: ")) || !strings.HasPrefix(test.want, "error: ")) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
