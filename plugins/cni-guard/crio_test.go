// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDefaultNetworkIn(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":   {nil, ""},
		"comment":   {map[string]string{"crio.conf": "[crio.network]\n# cni_default_network = \"a\"\n"}, ""},
		"set":       {map[string]string{"crio.conf": "[crio.network]\n\tcni_default_network = \"a\" # ours\nnetwork_dir = \"/x\"\n"}, "a"},
		"literal":   {map[string]string{"crio.conf": "cni_default_network='a'"}, "a"},
		"empty":     {map[string]string{"crio.conf": "cni_default_network = \"\"\n"}, ""},
		"unclosed":  {map[string]string{"crio.conf": "cni_default_network = \"a\n"}, ""},
		"no string": {map[string]string{"crio.conf": "cni_default_network = 1\n"}, ""},
		"longer":    {map[string]string{"crio.conf": "cni_default_network_x = \"a\"\n"}, ""},
		"last wins": {map[string]string{"crio.conf": "cni_default_network = \"a\"\n", "crio.conf.d/10-x": "cni_default_network = \"c\"\n", "crio.conf.d/05-x.conf": "cni_default_network = \"b\"\n"}, "c"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := defaultNetworkIn(dir); err != nil || got != c.want {
				t.Errorf("%q, error %v, want %q", got, err, c.want)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "crio.conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := defaultNetworkIn(dir); err == nil {
		t.Errorf("a folder in the place of crio.conf says %q", got)
	}
}

func TestFlagOf(t *testing.T) {
	for cmdline, want := range map[string]string{
		"crio\x00": "unset",
		"":         "unset",
		"crio\x00--cni-default-network=a\x00-v\x00":       "a",
		"crio\x00--cni-default-network\x00a\x00-v\x00":    "a",
		"crio\x00--cni-default-network\x00":               "unset",
		"crio\x00--cni-default-network=\x00":              "",
		"crio\x00--cni-default-networks=a\x00":            "unset",
		"crio\x00-c\x00/etc/x\x00--cni-default-network=a": "a",
	} {
		got, set := flagOf([]byte(cmdline), "--cni-default-network")
		if !set {
			got = "unset"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", cmdline, got, want)
		}
	}
}
