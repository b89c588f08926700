// SPDX-License-Identifier: Apache-2.0

package runtimeconf_test

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

func TestScanNetworkString(t *testing.T) {
	const unset, odd = "unset", "odd"
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", unset},
		"comment":           {"[crio.network]\n# cni_default_network = \"a\"\n", unset},
		"comment behind":    {"[crio.network]\nnetwork_dir = \"/x\" # not cni_default_network = \"a\"\n", unset},
		"set":               {"[crio.network]\n\tcni_default_network = \"a\" # ours\nnetwork_dir = \"/x\"\n", "a"},
		"literal":           {"[crio.network]\ncni_default_network='a\\b'", `a\b`},
		"no value":          {"[crio.network]\ncni_default_network = \"\"\n", ""},
		"quoted":            {"[ \"crio\" . 'network' ]\n\"cni_default_network\" = \"a\"\n", "a"},
		"dotted":            {"crio.network.cni_default_network = \"a\"\n", "a"},
		"half dotted":       {"[crio]\nnetwork.cni_default_network = \"a\"\n", "a"},
		"another case":      {"[CRIO.network]\nCNI_Default_Network = \"a\"\n", "a"},
		"another table":     {"[crio.runtime]\ncni_default_network = \"a\"\n", unset},
		"no table":          {"cni_default_network = \"a\"\n", unset},
		"a longer key":      {"[crio.network]\ncni_default_network_x = \"a\"\n", unset},
		"the last counts":   {"[crio.network]\ncni_default_network = \"a\"\n[x]\n[crio.network]\ncni_default_network = \"b\"\n", "b"},
		"behind an array":   {"[crio.network]\nplugin_dirs = [\n  \"/a\",\n  [\"b\"],\n]\ncni_default_network = \"a\"\n", "a"},
		"unclosed":          {"[crio.network]\ncni_default_network = \"a\n", odd},
		"no string":         {"[crio.network]\ncni_default_network = 1\n", odd},
		"escaped":           {"[crio.network]\ncni_default_network = \"\\u0061\"\n", odd},
		"escaped quote":     {"[crio.network]\ncni_default_network = \"a\\\"b\"\n", odd},
		"inline table":      {"[crio]\nnetwork = { x = \"#\", cni_default_network = \"a\" }\n", odd},
		"in an array":       {"[crio.network]\nx = [\n\"cni_default_network\",\n]\n", odd},
		"array of tables":   {"[[crio.network]]\ncni_default_network = \"a\"\n", odd},
		"several lines":     {"[crio.network]\nx = \"\"\"\ncni_default_network = \"b\"\n\"\"\"\n", odd},
		"words behind":      {"[crio.network]\ncni_default_network = \"a\" \"b\"\n", odd},
		"quote in a string": {"[crio.network]\nx = \"it's # one\"\ncni_default_network = \"a\"\n", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			got, set, err := runtimeconf.ScanNetworkString(c.text, "cni_default_network")
			switch {
			case err != nil:
				got = odd
			case !set:
				got = unset
			}
			if got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// ScanNetworkString finds what a parser of TOML finds, or returns an error.
func FuzzScanNetworkString(f *testing.F) {
	f.Add("[crio.network]\ncni_default_network = \"a\"\n")
	f.Add("[crio]\nnetwork = { cni_default_network = 'a' } # b\n")
	f.Add("x = [\n[ 1 ],\n]\ncrio.network.cni_default_network = \"a\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, set, err := runtimeconf.ScanNetworkString(text, "cni_default_network")
		var tree map[string]any
		if err != nil || toml.Unmarshal([]byte(text), &tree) != nil {
			return
		}
		want, isSet := lookUp(tree, "crio", "network", "cni_default_network")
		if got != want || set != isSet {
			t.Errorf("got %q, %t; want %q, %t of\n%s", got, set, want, isSet, text)
		}
	})
}

// lookUp returns a string by its keys in any letter case; of several, the last.
func lookUp(tree map[string]any, keys ...string) (string, bool) {
	for key, value := range tree {
		if !strings.EqualFold(key, keys[0]) {
			continue
		}
		if len(keys) == 1 {
			text, ok := value.(string)
			return text, ok
		}
		if sub, ok := value.(map[string]any); ok {
			if text, ok := lookUp(sub, keys[1:]...); ok {
				return text, ok
			}
		}
	}
	return "", false
}
