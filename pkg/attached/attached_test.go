// SPDX-License-Identifier: Apache-2.0

package attached_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/attached"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A record of another boot, and one that a DEL followed, are not listed.
func TestList(t *testing.T) {
	boot, err := netstate.BootID()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l := ledger.Ledger(dir)
	addrs := []netip.Prefix{netip.MustParsePrefix("10.1.0.5/24")}
	for id, r := range map[string]ledger.Record{
		"c1": {BootID: boot, Pod: "shop/web-0", MAC: "0a:58:0a:01:00:05", Addrs: addrs, Links: []string{"cni0"}},
		"c2": {BootID: "another"},
		"c3": {BootID: boot},
	} {
		r.Key = ledger.Key{Network: "net", ContainerID: id, IfName: "eth0"}
		if err := l.Put(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Retire(ledger.Key{Network: "net", ContainerID: "c3", IfName: "eth0"}); err != nil {
		t.Fatal(err)
	}
	got, err := attached.List(dir)
	want := []checks.Attachment{{
		Pod: "shop/web-0", IfName: "eth0",
		Interface: checks.Interface{MAC: "0a:58:0a:01:00:05", Addrs: addrs, Links: []string{"cni0"}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List returns %+v, error %v; want %+v", got, err, want)
	}
}
