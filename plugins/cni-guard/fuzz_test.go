// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
)

// FuzzParseConfig: whatever comes in, the answer is a configuration that can be
// used, an error of code 6 or 7, or both.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"name":"net","type":"cni-guard"}`,
		`{"mode":"audit","checks":{"host-netns":{"policy":"off","repair":false}}}`,
		`{"prevResult":null,"statusHoldDown":"1h","stateDir":"/x","cni.dev/valid-attachments":[]}`,
		`{"stateDir":"rel","cacheDir":7}`, `{"stateDir":"rel","statusHoldDown":"soon"}`,
		`{"Checks":{}}`, `{"chekcs":null,"logLevel":"debug"}`, `{"ipam":{},"dns":{},"x/y":1}`, `{"mode":null,"checks":null,"stateDir":null}`,
		`{"checks":{"host-netsn":{}}}`, `{"statusHoldDown":"-1s"}`, `{"cniVersion":7}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil && err.Code != types.ErrDecodingFailure && err.Code != types.ErrInvalidNetworkConfig {
			t.Errorf("code %d", err.Code)
		}
		// Also beside an error: DEL and GC go on with what there is.
		if !strings.HasPrefix(c.StateDir, "/") || c.HoldDown < 0 {
			t.Errorf("stateDir %q, statusHoldDown %v, error %v", c.StateDir, c.HoldDown, err)
		}
		if c.PrevResult != nil && !json.Valid(c.PrevResult) {
			t.Errorf("prevResult is no JSON: %q", c.PrevResult)
		}
		if c.CNIVersion == "" {
			t.Error("no cniVersion")
		}
	})
}

// FuzzWanted: a prevResult of any shape and version is read, or is an error and
// says nothing. It never gives an address that is none.
func FuzzWanted(f *testing.F) {
	for _, seed := range []string{
		`{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:05","sandbox":"/x"}],"ips":[{"address":"10.1.0.5/24","interface":0}]}`,
		`{"cniVersion":"1.0.0","interfaces":[null],"ips":[null]}`, `{"cniVersion":"0.4.0","interfaces":[null],"ips":[null]}`,
		`{"ips":[{"address":"fd00::5/64"}]}`, `{"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.5/24"}}`,
		`{"ips":[{"address":"","interface":-1}]}`, `7`, `[]`, `"x"`, `{"ips":[{"interface":9}]}`, `{"cniVersion":7}`, `{"cniVersion":"9.9.9"}`,
	} {
		for _, v := range []string{"", "0.2.0", "0.3.1", "1.0.0", "1.1.0", "9.9.9"} {
			f.Add(v, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, cniVersion string, prev []byte) {
		c := defaultConfig()
		c.CNIVersion, c.PrevResult = cniVersion, prev
		want, err := expectedInterface(c, "eth0")
		if err != nil && (want.MAC != "" || want.Addrs != nil) {
			t.Errorf("%+v beside error %v", want, err)
		}
		for _, a := range want.Addrs {
			if !a.IsValid() {
				t.Errorf("invalid address %v", a)
			}
		}
	})
}
