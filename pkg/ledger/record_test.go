// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// A record that is damaged is an error, and none of those that mean "none".
func TestGetDamaged(t *testing.T) {
	whole, err := json.Marshal(record(key("a1")))
	must(t, err)
	for name, data := range map[string]string{
		"empty":           "",
		"garbage":         "\x00\xff\x00",
		"truncated":       string(whole[:len(whole)/2]),
		"trailing":        string(whole) + "{",
		"null":            "null",
		"array":           "[]",
		"no boot":         `{"network":"pods","containerID":"a1","ifName":"eth0"}`,
		"no network":      `{"containerID":"a1","ifName":"eth0","bootID":"b"}`,
		"no container":    `{"network":"pods","ifName":"eth0","bootID":"b"}`,
		"no interface":    `{"network":"pods","containerID":"a1","bootID":"b"}`,
		"other types":     `{"network":"pods","containerID":"a1","ifName":"eth0","bootID":"b","cookie":"7"}`,
		"negative cookie": `{"network":"pods","containerID":"a1","ifName":"eth0","bootID":"b","cookie":-7}`,
		"bad address":     `{"network":"pods","containerID":"a1","ifName":"eth0","bootID":"b","addrs":["10.0.0"]}`,
		"bad time":        `{"network":"pods","containerID":"a1","ifName":"eth0","bootID":"b","added":"yesterday"}`,
	} {
		t.Run(name, func(t *testing.T) {
			l := Ledger(memory(t))
			must(t, l.makeDirs())
			must(t, os.WriteFile(filepath.Join(string(l), live, "pods:a1:eth0"), []byte(data), 0o600))
			r, err := l.Get(key("a1"))
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Get = %+v, error %v, want one that says that it is damaged", r, err)
			}
			must(t, l.Put(record(key("a1")))) // ADD puts a whole one in its place
			if _, err := l.Get(key("a1")); err != nil {
				t.Error(err)
			}
		})
	}
}

// A record that a later version wrote is still one.
func TestGetOfLaterVersion(t *testing.T) {
	l := Ledger(memory(t))
	must(t, l.makeDirs())
	const text = `{"network":"pods","containerID":"a1","ifName":"eth0","bootID":"b","cookie":7,"colour":{"of":"later"}}`
	must(t, os.WriteFile(filepath.Join(string(l), live, "pods:a1:eth0"), []byte(text), 0o600))
	if r, err := l.Get(key("a1")); err != nil || r.Cookie != 7 {
		t.Errorf("Get = %+v, error %v", r, err)
	}
}

func FuzzRecord(f *testing.F) {
	whole, err := json.Marshal(record(key("a1")))
	must(f, err)
	f.Add(whole)
	f.Add(whole[:30])
	f.Add([]byte(`{"network":"a","containerID":"b","ifName":"c","bootID":"d","addrs":["::ffff:1.2.3.4/96",""]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(data)
		if err != nil {
			return
		}
		if r.Network == "" || r.ContainerID == "" || r.IfName == "" || r.BootID == "" {
			t.Errorf("a record that identifies nothing is accepted: %+v", r)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("a record that was read cannot be written: %v", err)
		}
		if second, err := parseRecord(again); err != nil || second.Key != r.Key || second.Cookie != r.Cookie {
			t.Errorf("written and read again %+v is %+v, error %v", r, second, err)
		}
	})
}

// The file of a record is what json.Marshal writes, whichever fields are set and
// whatever the strings contain.
func TestEncode(t *testing.T) {
	full := *record(Key{"pods", "c<&>1", "eth\u2028\xff"})
	full.Netns, full.Pod, full.Links = "/run/\"x\"\n", "näme/\\space", []string{"cni0", "veth\x01"}
	full.Released, full.Release = true, &Release{Began: full.Added, Called: []string{"firewall"}, Failed: []string{"firewall"}}
	value := reflect.ValueOf(full)
	for i := range value.NumField() {
		if value.Field(i).IsZero() && value.Type().Field(i).Tag.Get("json") != "-" {
			t.Errorf("the test does not set the field %s", value.Type().Field(i).Name)
		}
	}
	unset := []func(*Record){
		func(*Record) {},
		func(r *Record) { r.Cookie, r.MAC = 0, "" },
		func(r *Record) { r.Addrs, r.Links, r.Pod = nil, nil, "" },
		func(r *Record) { r.Released, r.Release = false, nil },
		func(r *Record) { r.Added = r.Added.In(time.FixedZone("", 3600)) },
		func(r *Record) { r.Addrs = []netip.Prefix{{}} },
		func(r *Record) { *r = Record{} },
	}
	for i, change := range unset {
		r := full
		change(&r)
		want, err := json.Marshal(r)
		must(t, err)
		if got, err := r.encode(); err != nil || string(got) != string(want) {
			t.Errorf("%d: the record is encoded as\n%s\nerror %v, want\n%s", i, got, err, want)
		}
	}
	late := full
	late.Added = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := late.encode(); err == nil {
		t.Error("a year of five digits is no error")
	}
}

// Whatever the strings contain, the encoding is that of json.Marshal.
func FuzzEncode(f *testing.F) {
	f.Add("pods", "a1", "eth0", "/run/netns/x", "02:00:00:00:00:01", "veth1", "shop/cart", uint64(7), []byte{10, 0, 0, 1}, 24, false)
	f.Add("a\"b", "c\\\x00\x1f\x7f", "<&>\u2028\u2029", "\xff\xfe", "\xed\xa0\x80", "\t\r\n\b\f", "\U0001f600\ufffd", uint64(1<<64-1), []byte("0123456789abcdef"), 129, true)
	f.Fuzz(func(t *testing.T, network, id, ifName, netns, mac, link, pod string, cookie uint64, ip []byte, bits int, released bool) {
		r := Record{
			Key: Key{network, id, ifName}, BootID: netns, Cookie: cookie, Netns: netns, MAC: mac, Links: []string{link, pod}, Pod: pod,
			Released: released, Release: &Release{Called: []string{link}, Failed: []string{mac}},
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			r.Addrs = []netip.Prefix{netip.PrefixFrom(addr, bits), {}}
		}
		want, err := json.Marshal(r)
		must(t, err)
		if got, err := r.encode(); err != nil || string(got) != string(want) {
			t.Errorf("the record is encoded as\n%s\nerror %v, want\n%s", got, err, want)
		}
	})
}
