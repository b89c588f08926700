// SPDX-License-Identifier: Apache-2.0

package redact_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/redact"
)

// wgKey is a key as WireGuard prints it.
const wgKey = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

func TestSecrets(t *testing.T) {
	for name, text := range map[string]string{
		"JSON":                      `{"password": "hunter2"}`,
		"JSON number":               `{"pin": 123456, "token":99hunter2}`,
		"JSON nested":               `{"auths": {"r.example": {"auth": "hunter2", "x": ["hunter2"]}}}`,
		"JSON in a string":          `{"k": "{\"token\":\"hunter2\"}"}`,
		"YAML in a string":          `{"k": "users:\n- user:\n    token: hunter2\n"}`,
		"JSON that does not parse":  `{"password": "hunter2",`,
		"JSON lines":                "{\"a\":1}\n{\"auth\":{\"x\":\"hunter2\"}}\n",
		"INI":                       "[wifi-security]\npsk=hunter2\n",
		"INI with blanks":           "[vpn-secrets]\nIPSec psk = hunter2\n",
		"INI continued":             "Password=abc \\\n  hunter2\n",
		"INI indented continuation": "Password=abc\n  hunter2\n",
		"networkd":                  "[WireGuard]\nPrivateKey=" + wgKey + "\n",
		"wg without a key":          "x " + wgKey + " " + wgKey + "\n",
		"YAML":                      "a:\n  password: hunter2\n",
		"YAML block":                "a:\n  password: |\n    hunter2\n\n    hunter2\n  b: 1\n",
		"YAML folded":               "secret: >-\n  hunter2\n  hunter2\nb: 1\n",
		"YAML list":                 "tokens:\n- hunter2\n- hunter2\nb: 1\n",
		"YAML item":                 "users:\n- token: hunter2\n  name: x\n",
		"YAML map":                  "credentials:\n  a:\n    b: hunter2\nb: 1\n",
		"kubeconfig":                "users:\n- name: x\n  user:\n    client-key-data: hunter2hunter2\n    client-certificate-data: hunter2\n",
		"TOML":                      "[a.auth]\n  password = \"hunter2\"\n",
		"TOML text":                 "password = \"\"\"\nhunter2\nhunter2 \"\"\"\n",
		"TOML inline table":         "a = { username = \"u\", password = \"hunter2\" }\n",
		"environment":               "export AWS_SECRET_ACCESS_KEY=hunter2\n",
		"command line":              "/bin/x --token hunter2 --password=hunter2 -psk 'hunter2'\n",
		"command line with NUL":     "/bin/x\x00--token\x00hunter2\x00",
		"comment":                   "# password=hunter2\n",
		"bearer":                    "curl -H 'Authorization: Bearer hunter2abc'\nx: Bearer hunter2abc\n",
		"basic":                     "curl -H \"Authorization: Basic hunter2abc\"\n",
		"URL":                       "proxy=http://user:hunter2@proxy:3128/ and https://hunter2@x\n",
		"URL with an at sign":       "http://user:hun@hunter2@proxy/\n",
		"JWT":                       "x eyJhunter2abc.eyJhunter2abc.abc\n",
		"PEM":                       "-----BEGIN EC PRIVATE KEY-----\nhunter2\nhunter2\n-----END EC PRIVATE KEY-----\n",
		"PEM in JSON":               `{"x": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"}`,
		"PEM cut":                   "-----BEGIN PRIVATE KEY-----\nhunter2\n",
		"arguments of a plugin":     `{"CNI_ARGS": "K8S_POD_NAME=web;TOKEN=hunter2"}`,
		"key of etcd":               `{"etcd_key": "hunter2", "tls": {"server.key": "hunter2"}}`,
		"PEM in base64":             `{"x": "LS0tLS1CRUdJTiBSU0EgUFJJVkFURShunter2Pg=="}`,
		"sysctl":                    "net.ipv6.conf.all.stable_secret = hunter2\n",
	} {
		got, n := redact.New().Text([]byte(text))
		if n == 0 || strings.Contains(string(got), "hunter2") || strings.Contains(string(got), wgKey[:20]) {
			t.Errorf("%s: %d secrets in\n%s\nbecame\n%s", name, n, text, got)
		}
		if json.Valid([]byte(text)) && !json.Valid(got) {
			t.Errorf("%s: %s is no longer JSON", name, got)
		}
		if again, n := redact.New().Text(got); string(again) != string(got) && n > 0 && strings.Contains(string(again), "hunter2") {
			t.Errorf("%s: a second time: %s", name, again)
		}
	}
}

func TestKeeps(t *testing.T) {
	for _, text := range []string{
		`{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "bridge": "cni0", "ipam": {"type": "host-local", "subnet": "10.244.0.0/16"}}, {"type": "cni-guard", "checks": {"conflist": {"policy": "warn"}}}]}`,
		`{"type":"multus","kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig","etcd_key_file":"/x","tokenFile":"/y","publicKey":"z"}`,
		"net.ipv4.ip_forward = 1\n-net.ipv4.conf.all.rp_filter=0\nnet.ipv4.conf.*.forwarding=1\n",
		"[Match]\nName=eth*\nMACAddress=0a:58:0a:f4:01:07\n[Network]\nDHCP=yes\nIPMasquerade=both\n",
		"[keyfile]\nunmanaged-devices=interface-name:veth*;interface-name:cni0\n",
		"FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n",
		"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n",
		"fe80::1%eth0 2001:db8::1/64 10.0.0.1:8472 dead:beef\n",
		`{"cookie": 4711, "netns": "/run/netns/cni-1234"}`,
		"",
	} {
		if got, n := redact.New().Text([]byte(text)); string(got) != text || n != 0 {
			t.Errorf("%d secrets in\n%s\nbecame\n%s", n, text, got)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{`{"password":"x","a":[1,{"token":null}]}`, "a: |\n  x\n", "psk=\\\n", `"""`, "-----BEGIN PRIVATE KEY-----", "token: {", `{"a":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, _ := redact.New().Text(text)
		if json.Valid(text) && !json.Valid(got) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
