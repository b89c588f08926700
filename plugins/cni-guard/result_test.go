// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// A result is read in its own version, whatever the list's is: then its MAC and
// addresses are evidence.
func TestResultOfAnotherVersion(t *testing.T) {
	both := checks.Interface{MAC: "02:00:00:00:00:05", Addrs: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/24")}}
	addrs := checks.Interface{Addrs: both.Addrs}
	old := `{%s"ip4":{"ip":"10.1.0.5/24"}}`
	middle := `{%s"interfaces":[{"name":"eth0","mac":"02:00:00:00:00:05","sandbox":"/x"}],"ips":[{"version":"4","address":"10.1.0.5/24","interface":0}]}`
	recent := `{%s"interfaces":[{"name":"eth0","mac":"02:00:00:00:00:05","sandbox":"/x"}],"ips":[{"address":"10.1.0.5/24","interface":0}]}`
	for _, c := range []struct {
		version, shape string
		want           checks.Interface
	}{
		{"0.1.0", old, addrs}, {"0.2.0", old, addrs},
		{"0.3.0", middle, both}, {"0.3.1", middle, both}, {"0.4.0", middle, both},
		{"1.0.0", recent, both}, {"1.1.0", recent, both},
		{"1.2.0", recent, both}, // a later version of the same major one
	} {
		for _, list := range []string{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", "9.9.9"} {
			t.Run(list+"/"+c.version, func(t *testing.T) {
				conf := config{CNIVersion: list, PrevResult: fmt.Appendf(nil, c.shape, fmt.Sprintf(`"cniVersion":%q,`, c.version))}
				if got, err := expectedInterface(conf, "eth0"); err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("result says %+v, error %v; want %+v", got, err, c.want)
				}
			})
		}
		t.Run("unversioned/"+c.version, func(t *testing.T) {
			conf := config{CNIVersion: c.version, PrevResult: fmt.Appendf(nil, c.shape, "")}
			if got, err := expectedInterface(conf, "eth0"); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("result says %+v, error %v; want %+v", got, err, c.want)
			}
		})
	}
}

// However a result spells a MAC and an address, they are evidence.
func TestResultSpellings(t *testing.T) {
	want := checks.Interface{MAC: "0a:58:0a:01:00:05", Addrs: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/24"), netip.MustParsePrefix("fd00::5/64")}}
	for _, mac := range []string{"0a:58:0a:01:00:05", "0A:58:0A:01:00:05", "0A-58-0A-01-00-05", "0a58.0a01.0005"} {
		for _, addrs := range [][2]string{{"10.1.0.5/24", "fd00::5/64"}, {"::ffff:10.1.0.5/120", "FD00:0:0::0:5/64"}} {
			raw := fmt.Appendf(nil, `{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":%q,"sandbox":"/x"}],"ips":[{"address":%q,"interface":0},{"address":%q}]}`, mac, addrs[0], addrs[1])
			if got, err := expectedInterface(config{CNIVersion: "1.0.0", PrevResult: raw}, "eth0"); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s says %+v, error %v; want %+v", raw, got, err, want)
			}
		}
	}
	odd := []byte(`{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"none","sandbox":"/x"}]}`)
	if got, err := expectedInterface(config{CNIVersion: "1.0.0", PrevResult: odd}, "eth0"); err != nil || got.MAC != "none" {
		t.Errorf("a MAC that is none: %+v, error %v", got, err)
	}
}

// A null among the interfaces or the addresses is none, in every version. The library
// panics when it converts one.
func TestResultNulls(t *testing.T) {
	for _, version := range []string{"0.2.0", "0.3.1", "0.4.0", "1.0.0"} {
		raw := fmt.Appendf(nil, `{"cniVersion":%q,"interfaces":[null],"ips":[null],"ip4":null,"ip6":{}}`, version)
		if got, err := expectedInterface(config{CNIVersion: "1.0.0", PrevResult: raw}, "eth0"); err != nil || !reflect.DeepEqual(got, checks.Interface{}) {
			t.Errorf("%s says %+v, error %v; want nothing", raw, got, err)
		}
	}
}

// Interfaces without a sandbox are the node's, also where the pod's is not named.
func TestResultLinks(t *testing.T) {
	raw := []byte(`{"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},{"name":"veth0.1","sandbox":""},{"name":""},null,{"name":"eth0","sandbox":"/x"}]}`)
	for _, ifName := range []string{"eth0", "net1"} {
		got, err := expectedInterface(config{CNIVersion: "1.0.0", PrevResult: raw}, ifName)
		if want := []string{"cni0", "veth0.1"}; err != nil || !slices.Equal(got.Links, want) {
			t.Errorf("the result names %q for %s, error %v; want %q", got.Links, ifName, err, want)
		}
	}
}

func TestResultUnreadable(t *testing.T) {
	for _, raw := range []string{
		`7`, `[]`, `"x"`, `{"cniVersion":7}`, `{"cniVersion":"9.9.9"}`, `{"cniVersion":"x"}`, `{"cniVersion":"0.5.0"}`,
		`{"cniVersion":"1.0.0","ips":"10.1.0.5"}`, `{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.5/99"}]}`,
	} {
		got, err := expectedInterface(config{CNIVersion: "1.0.0", PrevResult: []byte(raw)}, "eth0")
		if err == nil || !reflect.DeepEqual(got, checks.Interface{}) {
			t.Errorf("%s says %+v, error %v; want an error", raw, got, err)
		}
	}
}
